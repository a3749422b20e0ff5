//! How many batches of a workflow may have a trigger of one kind.

use serde::Deserialize;

/// The section `[triggers]` of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerLimits {
    pub event: Option<TriggerLimit>,
    pub file: Option<TriggerLimit>,
}

/// At most so many batches, for each value of an attribute of the users they run as, or in all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerLimit {
    pub at_most: u32,
    pub per: Option<Attribute>,
}

/// An attribute of the run-as user, written `user.company`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Attribute(pub String);

impl TryFrom<String> for Attribute {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix("user.").filter(|name| !name.is_empty() && !name.contains('.'));
        name.map(|name| Self(name.to_owned()))
            .ok_or_else(|| format!("`{text}` is no attribute of a user; write one such as `user.company`"))
    }
}

impl TriggerLimits {
    /// What a definition that was accepted says.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(definition: &str) -> Result<Self, toml::de::Error> {
        #[derive(Deserialize)]
        struct Graph {
            #[serde(default)]
            triggers: TriggerLimits,
        }
        toml::from_str::<Graph>(definition).map(|graph| graph.triggers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_checked() {
        let limits = TriggerLimits::of("[triggers]\nevent = { at_most = 1, per = \"user.company\" }\n").unwrap();
        let limit = TriggerLimit { at_most: 1, per: Some(Attribute("company".to_owned())) };
        assert_eq!(limits, TriggerLimits { event: Some(limit), file: None });
        assert_eq!(TriggerLimits::of("title = \"x\"").unwrap(), TriggerLimits::default());
        assert!(TriggerLimits::of("[triggers]\nfile = { at_most = 1, per = \"company\" }\n").is_err());
        assert!(TriggerLimits::of("[triggers]\nfax = { at_most = 1 }\n").is_err());
    }
}
