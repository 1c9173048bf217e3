//! Typed settings: defaults, limits, validation.
