//! What may stand with any command: the recipe, the form of the output, the log.
//!
//! Owns: the flags that all commands share. Refuses: what belongs to one command.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, ClapArgs)]
pub(crate) struct Globals {
    /// The recipe [default: minilab.toml in this folder, else the built-in recipe]
    #[arg(long, short, global = true, value_name = "FILE", env = "MINILAB_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// Print JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print nothing but errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,

    /// What to log to standard error, such as "debug" or "`minilab_local=trace`"
    #[arg(long, global = true, value_name = "FILTER", env = "MINILAB_LOG", hide = true)]
    pub(crate) log: Option<String>,
}
