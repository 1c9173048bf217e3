//! Coupons: made by staff, and redeemed by a business that subscribes.
//!
//! A redemption counts from the sign-up on, in a trial too, and is given back where the first invoice was never settled. What a
//! coupon takes off, and when, is a rule of `billing`.

mod create;
mod redeem;

pub use create::{CouponValue, NewCoupon};
pub use redeem::{redeem, usable};

use super::Ports;

/// The most characters of a code.
const MAX_CODE_CHARS: usize = 40;

/// Makes coupons.
#[derive(Clone)]
pub struct CouponService {
    /// What it needs of the outside.
    ports: Ports,
}

impl CouponService {
    /// The service on these ports.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }
}

/// Whether a text is a code that a coupon could have.
fn is_code(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_CODE_CHARS).contains(&text.len()) && text.bytes().all(letter)
}
