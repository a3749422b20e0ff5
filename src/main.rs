//! The command line.

use anyhow::Result;
use clap::{Parser, Subcommand};
use postbook::document::renderer;

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Renders documents for the process that started this one.
    #[command(hide = true)]
    RenderChild {
        /// The most memory it may use, in bytes.
        #[arg(long)]
        memory: u64,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::RenderChild { memory } => renderer::child_main(memory),
    }
}
