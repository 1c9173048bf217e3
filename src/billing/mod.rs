//! The pure rules of billing: no IO, no clock, no randomness, no floats, no async.
