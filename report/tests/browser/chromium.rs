//! Chromium without a window: opens a page in a frame of a given width, measures it, and takes a picture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What measures a page, from the outside: the page itself has nothing for tests.
const MEASURE: &str = include_str!("measure.js");
const NAMES: [&str; 5] =
    ["chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable"];

/// A browser that was found.
#[derive(Clone, Debug)]
pub struct Browser {
    program: PathBuf,
}

/// Colours that the reader prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// How a page is looked at, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub width: u32,
    pub height: u32,
    pub scheme: Scheme,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What [`MEASURE`] measured.
    pub measured: Value,
    /// Lines of the browser's console.
    pub console: Vec<String>,
    /// PNG.
    pub screenshot: Vec<u8>,
}

impl Browser {
    /// The browser of this machine, or why there is none.
    pub fn find() -> Result<Self, String> {
        let named = std::env::var_os("GRIDPROOF_CHROMIUM");
        let names: Vec<_> = named.as_ref().map_or_else(|| NAMES.map(Into::into).to_vec(), |name| vec![name.clone()]);
        let folders: Vec<_> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
        let places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        let program = places.into_iter().find(|place| place.is_file());
        let asked = names.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ");
        program.map(|program| Self { program }).ok_or_else(|| format!("no browser: {asked} not found"))
    }

    /// Opens a page.
    pub fn open(&self, page: &str, view: View) -> Result<Seen, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).map_err(|error| format!("{name}: {error}"))
        };
        write("page.html", page)?;
        // A window is at least 500 pixels wide, a frame is not.
        let View { width, height, .. } = view;
        write(
            "frame.html",
            &format!(
                "<!DOCTYPE html><body style=\"margin:0\"><iframe id=\"frame\" src=\"page.html\" \
                 style=\"width:{width}px;height:{height}px;border:0\"></iframe><script>{MEASURE}</script>"
            ),
        )?;
        self.run(folder.path(), view)
    }

    fn run(&self, folder: &Path, view: View) -> Result<Seen, String> {
        let View { width, height, scheme } = view;
        let scheme = if scheme == Scheme::Dark { 0 } else { 1 };
        let picture = folder.join("picture.png");
        let output = Command::new(&self.program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args(["--disable-dev-shm-usage", "--force-device-scale-factor=1", "--allow-file-access-from-files"])
            .args(["--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", folder.join("frame.html").display()))
            .output()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        let log = String::from_utf8_lossy(&output.stderr);
        let dump = String::from_utf8_lossy(&output.stdout);
        let measured = dump.split_once("data-measured=\"").and_then(|(_, rest)| rest.split_once('"'));
        let measured = measured.ok_or_else(|| format!("nothing was measured ({}):\n{log}", output.status))?.0;
        let measured = measured.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        Ok(Seen {
            measured: serde_json::from_str(&measured).map_err(|error| format!("{error}: {measured}"))?,
            console: log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect(),
            screenshot: fs::read(&picture).map_err(|error| format!("no picture: {error}"))?,
        })
    }
}
