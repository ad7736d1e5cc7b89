//! `minilab package`: the zip that Lambda is given, checked before it is uploaded.
//!
//! Owns: what goes into the zip, and what would only fail on Lambda. Refuses: a
//! recipe that the function would refuse, and a program that it could not start.

mod archive;
mod program;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;
use minilab_imaging::recipe::Asset;
use serde_json::json;

use crate::arch::Arch;
use crate::config::{self, Config};
use crate::ending::Ending;
use crate::globals::Globals;
use crate::table::bytes;
use archive::Entry;
use program::{Glibc, Program};

/// The glibc of Amazon Linux 2023, which `provided.al2023` is made of.
const LAMBDA_GLIBC: Glibc = Glibc(2, 34);
/// What a function may have, unpacked ("Lambda quotas" in the AWS Lambda Developer Guide).
const MOST_UNPACKED: u64 = 250 << 20;
/// What the API takes itself; more must be in a bucket (ibid.).
const MOST_DIRECT: u64 = 50 << 20;
/// The program's name in the zip: the template's handler.
const BOOTSTRAP: &str = "bootstrap";
/// The recipe's name in the zip: where the function looks for it.
const RECIPE: &str = "minilab.toml";

#[derive(Debug, ClapArgs)]
pub(crate) struct PackageOptions {
    /// The function's program [default: target/dist/bootstrap, else `bootstrap` beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) bootstrap: Option<PathBuf>,

    /// Where to write the zip
    #[arg(long, value_name = "FILE", default_value = "dist/bootstrap.zip")]
    pub(crate) out: PathBuf,

    /// What the function's processor is to be [default: the program's]
    #[arg(long, value_enum)]
    pub(crate) arch: Option<Arch>,

    /// Leave the recipe out: the function finds it in its environment (`MINILAB_RECIPE`), or where
    /// that says (`MINILAB_CONFIG`, such as `s3://bucket/minilab.toml`)
    #[arg(long)]
    pub(crate) no_recipe: bool,
}

pub(crate) fn run(globals: &Globals, options: &PackageOptions) -> anyhow::Result<Ending> {
    let config = config::load(globals)?;
    config.recipe.loop_proof().context("the recipe could trigger itself")?;
    let path = match &options.bootstrap {
        Some(path) => path.clone(),
        None => find_bootstrap()?,
    };
    let bytes =
        std::fs::read(&path).with_context(|| format!("cannot read the program {}", path.display()))?;
    let program =
        program::read(&bytes).with_context(|| format!("{} is no program for Lambda", path.display()))?;
    check(&path, &program, options.arch)?;

    let mut entries = vec![Entry { name: BOOTSTRAP.to_owned(), mode: 0o100_755, bytes }];
    let embedded = !options.no_recipe && config.path.is_some();
    if embedded {
        entries.extend(recipe_files(&config)?);
    }
    let unpacked: u64 = entries.iter().map(|entry| entry.bytes.len() as u64).sum();
    ensure!(
        unpacked <= MOST_UNPACKED,
        "the function would be {unpacked} bytes unpacked, and Lambda takes {MOST_UNPACKED}; build it with --release"
    );
    let zip = archive::zip(&entries).context("cannot make the zip")?;
    write(&options.out, &zip)?;
    report(
        globals,
        options,
        &config,
        &program,
        &Made { entries: &entries, unpacked, packed: zip.len() as u64, embedded },
    )?;
    Ok(Ending::Done)
}

#[expect(clippy::disallowed_methods, reason = "the cli is one of the two places that read the environment")]
fn find_bootstrap() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    // In a checkout the one that `make package` builds; the profile release leaves it unoptimised.
    let places = [target.join("dist").join(BOOTSTRAP), own.with_file_name(BOOTSTRAP)];
    places.iter().find(|path| path.is_file()).cloned().with_context(|| {
        format!(
            "no program named bootstrap is at {}; build it with `make package`, or give --bootstrap FILE",
            places.each_ref().map(|path| path.display().to_string()).join(" or ")
        )
    })
}

/// What would only fail on Lambda.
fn check(path: &Path, program: &Program, asked: Option<Arch>) -> anyhow::Result<()> {
    if let Some(asked) = asked
        && asked != program.arch
    {
        bail!(
            "{} is a program for {}, and --arch asks for {}; build it for that, or leave --arch out",
            path.display(),
            program.arch.name(),
            asked.name()
        );
    }
    if let Some(needs) = &program.glibc
        && needs.newest > LAMBDA_GLIBC
    {
        bail!(
            "{} needs glibc {} for {}, and Lambda's provided.al2023 has {LAMBDA_GLIBC}; \
             bind them to an older version in crates/lambda/src/glibc.c, or build on an older system",
            path.display(),
            needs.newest,
            needs.symbols.join(", ")
        );
    }
    Ok(())
}

/// The recipe as the function finds it, and the pictures beside it.
fn recipe_files(config: &Config) -> anyhow::Result<Vec<Entry>> {
    let mut entries =
        vec![Entry { name: RECIPE.to_owned(), mode: 0o100_644, bytes: config.text.clone().into_bytes() }];
    for asset in config.recipe.assets() {
        let Asset::File(name) = asset else { continue };
        let plain = !name.starts_with('/') && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        ensure!(
            plain && name != BOOTSTRAP && name != RECIPE,
            "the recipe's watermark {name:?} cannot lie at that place in the zip; put it beside the recipe, \
             or in the processed bucket"
        );
        let path = config.folder.join(name);
        let bytes = std::fs::read(&path)
            .with_context(|| format!("cannot read the recipe's watermark {}", path.display()))?;
        entries.push(Entry { name: name.clone(), mode: 0o100_644, bytes });
    }
    // One order, whatever the recipe's.
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries.dedup_by(|one, other| one.name == other.name);
    Ok(entries)
}

/// Replaces the file as a whole.
fn write(path: &Path, zip: &[u8]) -> anyhow::Result<()> {
    let fail = || format!("cannot write the zip {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(fail)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(fail)?;
    file.write_all(zip).with_context(fail)?;
    // A temporary file is its owner's alone; a zip is to be handed on.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode).with_context(fail)?;
    file.persist(path).with_context(fail)?;
    Ok(())
}

struct Made<'a> {
    entries: &'a [Entry],
    unpacked: u64,
    packed: u64,
    embedded: bool,
}

fn report(
    globals: &Globals,
    options: &PackageOptions,
    config: &Config,
    program: &Program,
    made: &Made<'_>,
) -> anyhow::Result<()> {
    let Made { entries, unpacked, packed, embedded } = made;
    let mut out = std::io::stdout().lock();
    if globals.json {
        let report = json!({
            "zip": options.out,
            "bytes": packed,
            "unpacked_bytes": unpacked,
            "arch": program.arch.name(),
            "glibc": program.glibc.as_ref().map(|needs| needs.newest.to_string()),
            "recipe": embedded.then(|| json!({ "from": config.origin, "digest": config.recipe.digest() })),
            "files": entries.iter().map(|entry| &entry.name).collect::<Vec<_>>(),
        });
        writeln!(out, "{report}")?;
        return Ok(());
    }
    if globals.quiet {
        return Ok(());
    }
    writeln!(out, "{}: {} zipped, {} unpacked", options.out.display(), bytes(*packed), bytes(*unpacked))?;
    let glibc = match &program.glibc {
        Some(needs) => format!("glibc {} or newer; Lambda has {LAMBDA_GLIBC}", needs.newest),
        None => "no glibc".to_owned(),
    };
    writeln!(out, "  program  {}, needs {glibc}", program.arch.name())?;
    if *embedded {
        writeln!(out, "  recipe   {} (digest {})", config.origin, config.recipe.digest())?;
        for entry in entries.iter().filter(|entry| entry.name != BOOTSTRAP && entry.name != RECIPE) {
            writeln!(out, "           and {}", entry.name)?;
        }
    } else {
        writeln!(
            out,
            "  recipe   none in it: MINILAB_RECIPE or MINILAB_CONFIG gives it, else the built-in one"
        )?;
    }
    if *packed > MOST_DIRECT {
        writeln!(out, "  Over 50 MB: Lambda takes it from a bucket only.")?;
    }
    Ok(())
}
