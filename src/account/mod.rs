//! People: who they are, what they may do, and the tokens they show at the doors.
//!
//! A token never does more than its scope, nor more than its user's role. Called by the doors.

mod role;
mod token;
mod user;

pub use role::Role;
pub use token::{
    Caller, Issued, NewToken, Token, TokenError, authenticate, first_admin, issue, new_token, revoke, tokens,
};
pub use user::{User, UserError, UserInput, check, enable, get, list, save};
