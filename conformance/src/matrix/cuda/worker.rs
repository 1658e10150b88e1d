//! The matrix's side of a worker process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::child::{ARGUMENT, LIMIT};
use super::protocol::{Answer, CellText, Ready, Reply, Request};

/// How long a worker may use the device: the launch's own limit for the kernels and for each transfer, and as much again.
const TURN: Duration = LIMIT.saturating_mul(4);

/// Bytes of a worker's last words that are kept.
const LAST_WORDS: usize = 2_000;

/// Why there is no worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotStarted {
    /// The device cannot be used, and why: nothing went wrong.
    Unavailable(String),
    /// The worker failed.
    Failed(String),
}

/// A worker process. It is killed when it is dropped: what it left on the device goes with it.
pub(super) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    /// Lines of its output; the channel closes with the output.
    answers: Receiver<String>,
    words: Option<JoinHandle<Vec<u8>>>,
}

impl Worker {
    /// Starts a worker for a device, and waits until it has opened and measured it.
    ///
    /// # Errors
    /// Why the device cannot be used, or how the worker failed.
    pub fn start(executable: &Path, ordinal: u32) -> Result<(Self, Ready), NotStarted> {
        let command = Command::new(executable)
            .args([ARGUMENT, &ordinal.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let failed = |error| NotStarted::Failed(format!("the worker `{}`: {error}", executable.display()));
        let mut child = command.map_err(failed)?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            let lines = output.map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok);
            // Nobody listens any more where sending fails.
            lines.map_while(|line| sender.send(line).ok()).for_each(drop);
        });
        let words = thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read until an error is what there is.
            let _ = errors.map(|mut errors| errors.read_to_end(&mut bytes));
            bytes
        });
        let mut worker = Self { child, input, answers, words: Some(words) };
        match worker.answer(None).map_err(NotStarted::Failed)? {
            Answer::Ready(ready) => Ok((worker, ready)),
            Answer::Unavailable(reason) => Err(NotStarted::Unavailable(reason)),
            other => Err(NotStarted::Failed(unexpected(&other))),
        }
    }

    /// Runs a cell; `turn` is held while it uses the device.
    ///
    /// # Errors
    /// How the worker failed. It is of no more use then.
    pub fn run(&mut self, cell: &CellText, turn: &Mutex<()>) -> Result<Reply, String> {
        self.tell(&Request::Cell(cell.clone()))?;
        match self.answer(None)? {
            Answer::Done(reply) => return Ok(reply),
            Answer::Turn => {}
            other => return Err(unexpected(&other)),
        }
        let used = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(&Request::Go)?;
        match self.answer(Some(TURN)) {
            Ok(Answer::Ran) => {}
            // What a process that is of no more use holds on the device goes with it, and only then is the turn over.
            Ok(Answer::Done(reply)) if reply.lost => {
                self.end();
                return Ok(reply);
            }
            Ok(other) => {
                self.end();
                return Err(unexpected(&other));
            }
            Err(reason) => {
                self.end();
                return Err(reason);
            }
        }
        drop(used);
        match self.answer(None)? {
            Answer::Done(reply) => Ok(reply),
            other => Err(unexpected(&other)),
        }
    }

    fn tell(&mut self, request: &Request) -> Result<(), String> {
        let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let told = self.input.as_mut().map(|input| input.write_all(&line).and_then(|()| input.flush()));
        if told.is_some_and(|told| told.is_ok()) { Ok(()) } else { Err(self.ended()) }
    }

    fn answer(&mut self, limit: Option<Duration>) -> Result<Answer, String> {
        let line = match limit {
            None => self.answers.recv().map_err(RecvTimeoutError::from),
            Some(limit) => self.answers.recv_timeout(limit),
        };
        match line {
            Ok(line) => serde_json::from_str(&line).map_err(|_| format!("the worker said `{line}`")),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = TURN.as_secs();
                Err(format!("the worker used the device for more than {seconds} s and was stopped"))
            }
        }
    }

    /// How it ended, with the end of what it wrote to standard error.
    fn ended(&mut self) -> String {
        // Without input it has no reason to go on.
        self.input = None;
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let words = self.words.take().and_then(|words| words.join().ok()).unwrap_or_default();
        let last = words.get(words.len().saturating_sub(LAST_WORDS)..).unwrap_or_default();
        let last = String::from_utf8_lossy(last).trim().to_owned();
        if last.is_empty() {
            format!("the worker ended: {status}")
        } else {
            format!("the worker ended: {status}: {last}")
        }
    }
}

impl Worker {
    /// Ends the process, if it has not ended.
    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}

fn unexpected(answer: &Answer) -> String {
    format!("the worker said {answer:?} out of turn")
}
