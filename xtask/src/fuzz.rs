//! `cargo xtask fuzz`: each body of fuzz/ in the hands of libFuzzer.
//!
//! It works with the stable compiler. The engine wants to know which branches are taken; LLVM's pass for that is part of every rustc,
//! and is asked for with stable options. They go to the crates of this repository alone, by way of cargo's wrapper, which is this very
//! program: so what they depend on is built once for tests and fuzzing. What a sanitizer would find is left to others: nearly all of the code is safe Rust.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::plan::{Guess, Plan};
use crate::products::{self, RECORDING_HALF};
use crate::{shell, system};

/// Set where this program stands between cargo and rustc.
const WRAPS: &str = "SEND_LEARN_XTASK_WRAPS_RUSTC";

/// As cargo-fuzz has them: edges, counted in place, with their addresses, and what is compared.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Links although functions are not there.
const IGNORE_UNRESOLVED: &str = if cfg!(target_os = "macos") {
    "-Clink-arg=-Wl,-undefined,dynamic_lookup"
} else {
    "-Clink-arg=-Wl,--unresolved-symbols=ignore-all"
};

/// Bytes of an input at most: more than a datagram, enough for long lives.
const LONGEST: u32 = 4_096;

/// Bytes of a datagram's header (spec/wire-format.md, section 2).
const HEADER: usize = 40;

/// Memory that a body may take, MiB, and seconds that one input may.
const MEMORY: u32 = 1_024;
const PATIENCE: u32 = 10;

/// Where this program was started by cargo in place of rustc: the compiler, with what fuzzing needs.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    env::var_os(WRAPS)?;
    let mut arguments = env::args_os().skip(1);
    let compiler = arguments.next()?;
    let arguments: Vec<_> = arguments.collect();
    let mut rustc = Command::new(compiler);
    rustc.args(&arguments).env_remove(WRAPS);
    // Questions about the compiler, and programs that run while others are built, are none of the fuzzer's.
    let of_ours = arguments.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1].to_string_lossy().starts_with("send_learn"));
    if of_ours {
        rustc.args(COVERAGE).args(["--cfg", "fuzzing"]);
    }
    // Programs that cargo builds along with the fuzzer's are never run, and have no engine that would count their branches.
    let is = |key: &str, value: &str| arguments.windows(2).any(|pair| pair[0] == key && pair[1] == value);
    let is_program = is("--crate-type", "bin") || arguments.iter().any(|argument| argument == "--test");
    if is_program && !(is("--crate-type", "bin") && is("--crate-name", "send_learn_fuzz")) {
        rustc.arg(IGNORE_UNRESOLVED);
    }
    let ended = rustc.status().ok().and_then(|status| status.code());
    Some(ExitCode::from(ended.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// What a person asked for.
struct Options {
    targets: Vec<String>,
    seconds: u32,
    save: bool,
}

impl Options {
    fn read(options: &[String]) -> Result<Self> {
        let mut read = Self { targets: Vec::new(), seconds: 60, save: false };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            match option.as_str() {
                "--seconds" => {
                    let seconds = options.next().context("--seconds needs a number")?;
                    read.seconds = seconds.parse().with_context(|| format!("--seconds {seconds}"))?;
                }
                "--save" => read.save = true,
                flag if flag.starts_with('-') => crate::none_left(&[flag.to_owned()])?,
                name => read.targets.push(name.to_owned()),
            }
        }
        let known = targets()?;
        if let Some(unknown) = read.targets.iter().find(|name| !known.contains(name)) {
            bail!("there is no target {unknown:?}; there are {}", known.join(", "));
        }
        if read.targets.is_empty() {
            read.targets = known;
        }
        Ok(read)
    }
}

/// Adds the steps: the build, and each target.
///
/// # Errors
/// When an option is unknown.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, options: &[String]) -> Result<()> {
    let options = Options::read(options)?;
    system::add(plan, system::Purpose::Build);
    let here = cache.clone();
    plan.step("Build the bodies for the fuzzer", "build-fuzz", Guess { first: 6 * 60, again: 20 }, move || build(&here));
    for target in options.targets {
        let here = cache.clone();
        let guess = Guess { first: u64::from(options.seconds), again: u64::from(options.seconds) };
        let title = format!("Fuzz {target}");
        plan.step(&title, &format!("fuzz-{target}-{}", options.seconds), guess, move || {
            fuzz(&here, &target, options.seconds)?;
            if options.save { keep(&here, &target) } else { Ok(()) }
        });
    }
    Ok(())
}

/// With the same features as the tests, so that nothing but this repository's crates is built anew.
fn build(cache: &Cache) -> Result<()> {
    let mut build = products::cargo(cache, "build");
    build.args(RECORDING_HALF).args(["--bin", "send-learn-fuzz", "--test", "piece_equals_its_generator"]);
    build.args(["--features", "send-learn-fuzz/engine"]);
    build.env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?).env(WRAPS, "1");
    shell::run(&mut build)
}

fn fuzz(cache: &Cache, target: &str, seconds: u32) -> Result<()> {
    let found = corpus(cache, target)?;
    let failures = cache.file("fuzz").join("failures").join(target);
    fs::create_dir_all(&failures)?;
    for (index, line) in fs::read_to_string(saved(target))?.lines().enumerate() {
        fs::write(found.join(format!("saved-{index}")), bytes(line)?)?;
    }
    for (index, vector) in fs::read_dir(cache::source().join("spec/vectors"))?.enumerate() {
        let datagram = bytes(&fs::read_to_string(vector?.path())?)?;
        // Whole, for those who read datagrams; and what lies behind the header.
        fs::write(found.join(format!("vector-{index}")), &datagram)?;
        fs::write(found.join(format!("payload-{index}")), datagram.get(HEADER..).unwrap_or_default())?;
    }
    let mut fuzzer = fuzzer(cache, target);
    fuzzer.args([
        format!("-max_total_time={seconds}"),
        format!("-artifact_prefix={}/", failures.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    fuzzer.arg(&found);
    if shell::run(&mut fuzzer).is_err() {
        bail!(
            "{} failed; what it was given is the newest file in {}. Mend the fault, and add the input to fuzz/corpus/{}.hex",
            target,
            failures.display(),
            target
        );
    }
    Ok(())
}

/// Writes the fewest inputs that reach all that was reached to fuzz/corpus.
fn keep(cache: &Cache, target: &str) -> Result<()> {
    let fewest = cache.file("fuzz").join("fewest").join(target);
    // What an earlier run left.
    let _ = fs::remove_dir_all(&fewest);
    fs::create_dir_all(&fewest)?;
    shell::run(fuzzer(cache, target).arg("-set_cover_merge=1").arg(&fewest).arg(corpus(cache, target)?))?;
    let inputs: Result<Vec<_>, _> = fs::read_dir(&fewest)?.map(|file| fs::read(file?.path())).collect();
    let mut inputs = inputs?;
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let line = |input: &Vec<u8>| input.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    Ok(fs::write(saved(target), inputs.iter().map(line).collect::<String>())?)
}

/// The saved inputs of a target, in hexadecimal digits, one a line.
fn saved(target: &str) -> PathBuf {
    cache::source().join("fuzz/corpus").join(format!("{target}.hex"))
}

/// The names of all targets: each has a file, and a test sees to that.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(cache::source().join("fuzz/corpus"))? {
        names.extend(file?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    let digits: Vec<char> = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    digits.chunks(2).map(|pair| byte(pair).context("a saved input is not in hexadecimal digits")).collect()
}

/// The engine with a target, and its limits.
fn fuzzer(cache: &Cache, target: &str) -> Command {
    let mut fuzzer = shell::program(program(cache));
    fuzzer.env("SEND_LEARN_FUZZ", target);
    fuzzer.args([
        format!("-max_len={LONGEST}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-timeout={PATIENCE}"),
        "-verbosity=1".to_owned(),
    ]);
    fuzzer
}

fn corpus(cache: &Cache, target: &str) -> Result<PathBuf> {
    let folder = cache.file("fuzz").join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn program(cache: &Cache) -> PathBuf {
    let name = format!("send-learn-fuzz{}", env::consts::EXE_SUFFIX);
    Path::new(&products::programs(cache)).join(name)
}
