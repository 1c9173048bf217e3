//! Tokens of a person who is signed in: a short-lived access token that is checked without the database, and a
//! refresh token of which the database knows only the hash.

mod access;
mod link;
mod refresh;
#[cfg(test)]
mod tests;

pub use access::{
    ACCESS_LIFETIME_MAX, ACCESS_TOKEN_BYTES_MAX, AccessClaims, InvalidToken, StaffClaims, TokenIssuer, TokenKey, TokenSettings,
    VerifiedAccess,
};
pub use link::LinkToken;
pub use refresh::{RefreshHash, RefreshToken};
