//! Identifiers of rows, one type each, so that a run's number is never taken for a transmission's.

/// Defines a newtype over the `bigint` key of a table.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One firing of a batch.
    RunId
);
id!(
    /// One version of a batch.
    RevisionId
);
id!(
    /// One version of a document.
    DocumentRevisionId
);
id!(
    /// A recipient listed in one version of a batch.
    RecipientId
);
id!(
    /// One thing a run renders.
    ItemId
);
id!(
    /// The bytes a run rendered.
    ArtifactId
);
id!(
    /// Artifacts to one contact over one channel.
    TransmissionId
);
id!(
    /// One node of a run's graph.
    StepId
);
