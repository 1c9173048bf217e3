//! Keys, passwords, tokens: what protects what is stored and who may ask for it.
