//! Sessions of staff, and the refresh tokens that carry them on: for the system alone.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QuerySelect as _};

use super::System;
use super::entity::staff::{staff_refresh_token, staff_session};
use super::sessions::{Which, session_statements};
use super::types::Instant;
use crate::error::Error;
use crate::ids::{StaffId, StaffSessionId};

pub use super::entity::staff::staff_refresh_token::Model as RefreshToken;
pub use super::entity::staff::staff_session::Model as Session;

session_statements!(staff_session, staff_refresh_token, StaffSessionId, StaffId: StaffId);
