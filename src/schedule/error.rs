//! Why a rule is refused.

/// What is wrong with a rule, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(pub(super) String);

impl RuleError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
