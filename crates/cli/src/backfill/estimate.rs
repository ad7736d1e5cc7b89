//! What a run would cost. Owns the prices; refuses to guess what is not a list
//! price: the machine that runs it, and storage.

use std::fmt;

use minilab_imaging::Recipe;
use minilab_imaging::recipe::{Footprint, Output};
use serde::Serialize;

/// "Amazon S3 pricing", S3 Standard, us-east-1, in US dollars.
const PUT_OR_LIST: f64 = 0.005 / 1000.0;
const GET_OR_HEAD: f64 = 0.0004 / 1000.0;
/// Out to the internet, the first 10 TB of a month, a gigabyte.
const TRANSFER: f64 = 0.09 / 1e9;

/// At list prices of us-east-1; other regions differ by some tenths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Estimate {
    /// PUT and LIST requests, at most.
    put_requests: u64,
    /// GET and HEAD requests, at most.
    get_requests: u64,
    requests_usd: f64,
    /// Reading the sources from outside AWS; within the buckets' region, nothing.
    transfer_usd: f64,
}

/// For `due` of `sources`, which have `bytes` bytes together.
pub(super) fn of(recipe: &Recipe, sources: u64, due: u64, bytes: u64) -> Estimate {
    // Whatever rule a picture falls under, it gets at most the longest one's prints.
    let mut rules = vec![0_u64; recipe.rules.len() + 1];
    for output in &recipe.outputs {
        rules[output.rule.map_or(0, |rule| rule + 1)] += 1;
    }
    let prints = rules.into_iter().max().unwrap_or(0);
    let listings = recipe.outputs.iter().filter(|output| is_listed(output)).count() as u64;
    // Looking: each print, or its listing, and the report. Making: the prints and
    // their listings; the source, the source again, and the report.
    let puts = sources * listings + due * (prints + listings);
    let gets = sources * (prints + 1) + due * 3;
    Estimate {
        put_requests: puts,
        get_requests: gets,
        requests_usd: puts as f64 * PUT_OR_LIST + gets as f64 * GET_OR_HEAD,
        transfer_usd: bytes as f64 * TRANSFER,
    }
}

fn is_listed(output: &Output) -> bool {
    matches!(output.footprint("picture.jpg"), Footprint::Listed { .. })
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { put_requests, get_requests, requests_usd, transfer_usd } = self;
        writeln!(
            f,
            "  requests  ${requests_usd:.2} ({put_requests} PUT or LIST, {get_requests} GET or HEAD)"
        )?;
        writeln!(
            f,
            "  transfer  ${transfer_usd:.2} if this machine is outside of AWS; $0 in the buckets' region"
        )?;
        writeln!(f, "at the list prices of S3 Standard in us-east-1, without the storage of the prints")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_print_is_a_put_and_every_listed_output_a_listing() {
        let estimate = of(&Recipe::built_in(), 2000, 1000, 2_000_000_000);
        // Nine prints; the five pixelations keep the source's key and are exact.
        assert_eq!((estimate.put_requests, estimate.get_requests), (9000, 23_000));
        assert!((estimate.requests_usd - (0.045 + 0.0092)).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.transfer_usd - 0.18).abs() < 1e-9, "{estimate:?}");
        let sized = Recipe::parse("[[output]]\nkey = \"a/{key}_{width}\"\n").unwrap();
        assert_eq!(of(&sized, 10, 10, 0).put_requests, 30);
    }
}
