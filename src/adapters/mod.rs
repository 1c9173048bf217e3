//! The seams to the outside: payment gateways, mail.
