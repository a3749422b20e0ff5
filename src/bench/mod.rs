//! placeholder
use crate::cli::Place;
use anyhow::Result;
use clap::Args;
/// x
#[derive(Debug, Args)]
pub struct Bench {}
impl Bench {
    pub(crate) async fn run(self, _place: &Place) -> Result<()> {
        Ok(())
    }
}
