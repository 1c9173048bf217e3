//! Work by the clock: claims jobs that are due and runs them.
