//! placeholder
use anyhow::Result;
use clap::Args;
use crate::cli::Place;
/// x
#[derive(Debug, Args)]
pub struct Bench {}
impl Bench {
    pub(crate) async fn run(self, _place: &Place) -> Result<()> { Ok(()) }
}
