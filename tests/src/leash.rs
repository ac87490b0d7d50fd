//! Programs that end with the one that has started them, even when it is killed and can end nothing itself.
//!
//! Linux sends a process the signal of its choice when its parent ends. A process chooses that itself: so the program that starts another
//! starts itself, says who it is, and that copy chooses, and becomes the other program. On other systems nothing is done.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// The first argument of a copy that is to become another program. The next is its parent, then come that program and its arguments.
#[cfg(target_os = "linux")]
const LEASHED: &str = "--leashed-to";

/// `program`, which ends with this one. This one must call [`follow`] before it does anything else.
///
/// # Errors
/// When this program does not know where it is.
pub fn command(program: &Path) -> Result<Command> {
    #[cfg(target_os = "linux")]
    {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([LEASHED, &std::process::id().to_string()]).arg(program);
        Ok(command)
    }
    #[cfg(not(target_os = "linux"))]
    Ok(Command::new(program))
}

/// Becomes the program that was asked for, if one was. Returns where none was.
///
/// # Errors
/// When the program cannot be run.
#[cfg(target_os = "linux")]
pub fn follow() -> Result<()> {
    use std::os::unix::process::{CommandExt, parent_id};

    use anyhow::{Context, bail};
    use rustix::process::{Signal, set_parent_process_death_signal};

    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != LEASHED) {
        return Ok(());
    }
    let parent: u32 = arguments.next().and_then(|id| id.to_str()?.parse().ok()).context("no parent is named")?;
    let program = arguments.next().context("no program is named")?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before the signal was chosen.
    if parent_id() != parent {
        bail!("the program that started {} has ended", Path::new(&program).display());
    }
    Err(Command::new(&program).args(arguments).exec()).with_context(|| format!("cannot run {}", Path::new(&program).display()))
}

/// Nothing is ever asked for.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn follow() -> Result<()> {
    Ok(())
}

/// The program that `command` runs in the end.
pub fn program(command: &Command) -> &Path {
    #[cfg(target_os = "linux")]
    {
        let mut arguments = command.get_args();
        if arguments.next().is_some_and(|first| first == LEASHED) {
            return Path::new(arguments.nth(1).unwrap_or_default());
        }
    }
    Path::new(command.get_program())
}
