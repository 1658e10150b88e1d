//! Progress on standard error: a bar on a terminal, nothing elsewhere.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that may be hidden.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar of unknown length; hidden when not `wanted`, or where nobody looks.
    pub fn new(wanted: bool) -> Self {
        let shown = wanted && io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Something of unknown length is under way.
    pub fn working(&self, what: &str) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
            self.0.set_style(style);
        }
        self.0.set_message(gridproof_report::text::plain(what));
        self.0.enable_steady_tick(std::time::Duration::from_millis(120));
    }

    /// `done` of `all` are done, and `what` is being worked on.
    pub fn at(&self, done: usize, all: usize, what: &str) {
        self.0.set_length(all as u64);
        self.0.set_position(done as u64);
        self.0.set_message(gridproof_report::text::plain(what));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
