//! The refusals of the parts behind the doors, as problems.

use axum::http::StatusCode;

use super::Problem;
use crate::{
    account::{TokenError, UserError},
    catalog::{SaveError, calendar, document::DeleteError},
    run::{StartError, act::ActError, allowance::HoldError},
    trigger::schedule::ScheduleError,
};

impl From<SaveError> for Problem {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Fault(fault) => fault.into(),
            SaveError::NoBytes(_) => Self::at("digest", error.to_string()),
            SaveError::Exists { .. } | SaveError::Gone { .. } | SaveError::TooMany { .. } => Self::conflict(error),
        }
    }
}

impl From<DeleteError> for Problem {
    fn from(error: DeleteError) -> Self {
        match error {
            DeleteError::Fault(fault) => fault.into(),
            DeleteError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            DeleteError::Used(_) => Self::conflict(error),
        }
    }
}

impl From<calendar::DeleteError> for Problem {
    fn from(error: calendar::DeleteError) -> Self {
        match error {
            calendar::DeleteError::Fault(fault) => fault.into(),
            calendar::DeleteError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            calendar::DeleteError::Used(_) => Self::conflict(error),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Fault(fault) => fault.into(),
            UserError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            UserError::Exists(_) | UserError::LastAdmin(_) => Self::conflict(error),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Fault(fault) => fault.into(),
            TokenError::UnknownUser(_) => Self::at("user", error.to_string()),
            TokenError::TooMuch(_) => Self::at("scope", error.to_string()),
        }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Fault(fault) => fault.into(),
            StartError::UnknownBatch(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            StartError::Disabled(_) => Self::conflict(error),
            StartError::UnknownParam { ref name, .. } => Self::at(&format!("params/{name}"), error.to_string()),
        }
    }
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Fault(fault) => fault.into(),
            ActError::NotNow(_) => Self::conflict(error),
            ActError::UnknownRun(_) | ActError::UnknownTransmission(_) => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
        }
    }
}

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Fault(fault) => fault.into(),
            HoldError::NotNow(_) => Self::conflict(error),
            HoldError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
        }
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Fault(fault) => fault.into(),
            ScheduleError::NotNow(_) => Self::conflict(error),
            ScheduleError::Unknown(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
        }
    }
}
