//! The control socket: what other programs of the same user may ask of a running receiver.
//!
//! A Unix socket in the data folder, for its owner alone. A request is one line of JSON, and so is the answer:
//! `{"ask":"status"}`, `{"ask":"rotate"}`, `{"ask":"rename","stream":"2","name":"Lead vox"}` or `{"ask":"stop"}`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, thread};

use serde::{Deserialize, Serialize};

use crate::server::Remote;
use crate::status::Status;

/// The socket's name in the data folder.
const SOCKET: &str = ".send-learn.sock";

/// Longer requests are none.
const MAX_REQUEST: u64 = 1_024;

/// Answers are shorter than this: some 10,000 streams.
const MAX_ANSWER: u64 = 16 << 20;

/// Who asks has this long to do so, and then to take the answer: one that stalls holds up the others.
const PATIENCE: Duration = Duration::from_secs(2);

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Request {
    /// What is the receiver doing?
    Status,
    /// Close the files of all takes, and begin others.
    Rotate,
    /// Give an open stream another name, from now on.
    Rename {
        /// Its number in the list of streams, its name, or the begin of its id.
        stream: String,
        /// The name.
        name: String,
    },
    /// Close all recordings and end.
    Stop,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Answer {
    /// What the receiver is doing.
    Status(Box<Status>),
    /// It will be done.
    Accepted,
    /// It was not done.
    Refused {
        /// Why.
        why: String,
    },
    /// The request was not understood.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Why a receiver cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// None records to the folder.
    #[error("no receiver is recording to {data}. Start one with `send-learn serve`, or name its folder with --data.", data = data.display())]
    Nobody {
        /// The folder.
        data: PathBuf,
    },
    /// It could not be reached, or did not answer.
    #[error("the receiver that records to {data} does not answer: {source}", data = data.display())]
    Io {
        /// The folder.
        data: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Answers on the socket in `data`, from a thread of its own, for as long as the process lives. The folder must be locked by
/// this process: what another left there is removed.
///
/// # Errors
/// What the operating system says; a path that is too long for a socket, for one.
pub fn listen(data: &Path, remote: Remote) -> io::Result<()> {
    let path = data.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let answer_all = move || {
        for stream in listener.incoming() {
            // Whoever leaves early has no need of an answer.
            if let Err(error) = stream.and_then(|stream| answer(&stream, &remote)) {
                tracing::debug!(%error, "control socket");
            }
        }
    };
    thread::Builder::new().name("control".into()).spawn(answer_all).map(drop)
}

/// Removes the socket: nobody will answer.
pub fn close(data: &Path) {
    // It may be gone already.
    let _ = fs::remove_file(data.join(SOCKET));
}

fn answer(stream: &UnixStream, remote: &Remote) -> io::Result<()> {
    if !is_same_user(stream)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line)?;
    let answer = match serde_json::from_str(&line) {
        Ok(Request::Status) => Answer::Status(Box::new((*remote.status()).clone())),
        Ok(Request::Rotate) => {
            remote.rotate();
            Answer::Accepted
        }
        Ok(Request::Rename { stream, name }) => match remote.rename(&stream, &name) {
            Ok(_) => Answer::Accepted,
            Err(error) => Answer::Refused { why: error.to_string() },
        },
        Ok(Request::Stop) => {
            // Answered first: the process may be gone soon.
            let answered = send(stream, &Answer::Accepted);
            remote.stop();
            return answered;
        }
        Err(error) => Answer::Unknown { why: error.to_string() },
    };
    send(stream, &answer)
}

fn send(mut stream: &UnixStream, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    stream.write_all(&text)
}

/// Whether the other end is of the user that runs this.
#[cfg(target_os = "linux")]
fn is_same_user(stream: &UnixStream) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid == rustix::process::getuid())
}

/// Elsewhere the rights of the socket's file have to do.
#[cfg(not(target_os = "linux"))]
fn is_same_user(_stream: &UnixStream) -> io::Result<bool> {
    Ok(true)
}

/// Asks the receiver that records to `data`.
///
/// # Errors
/// [`AskError`].
pub fn ask(data: &Path, request: Request) -> Result<Answer, AskError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::Nobody { data: data.to_owned() },
        _ => AskError::Io { data: data.to_owned(), source },
    };
    let exchange = || {
        let stream = UnixStream::connect(data.join(SOCKET))?;
        stream.set_read_timeout(Some(2 * PATIENCE))?;
        send(&stream, &request)?;
        let mut line = String::new();
        BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    };
    exchange().map_err(failed)
}
