//! The directory of a campaign, and one client over it.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use gridproof_fuzz::campaign::{Settings, Store, StoreError, hash, minimize, read_finding, serve};
use gridproof_fuzz::input::{Scope, SwitchedOn};
use gridproof_fuzz::oracle::{Bench, Failure, Property};

fn settings(only: &str) -> Settings {
    let scope = Scope { only: vec![only.to_owned()], ..Scope::default() };
    Settings { seed: 1, limit_milliseconds: 60_000, scope, ..Settings::default() }
}

fn failure(subject: &str) -> Failure {
    Failure { property: Property::Model, subject: subject.to_owned(), message: "x[0] is 1".to_owned() }
}

#[test]
fn what_is_kept_is_there_when_the_directory_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("texts")).unwrap();
    assert!(store.keep(b"one").unwrap());
    assert!(!store.keep(b"one").unwrap());
    let found = store.report(b"two", &failure("a"), 12, &settings("texts").scope).unwrap();
    let again = Store::open(folder.path()).unwrap();
    assert_eq!(again.settings().unwrap(), settings("texts"));
    assert_eq!(again.corpus().unwrap().into_iter().collect::<Vec<_>>(), [hash(b"one")]);
    assert_eq!(again.input(&hash(b"one")).unwrap(), b"one");
    let findings = again.findings().unwrap().read;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].0, format!("model-{}", hash(b"two")));
    let (bytes, record) = read_finding(&found).unwrap();
    assert_eq!(
        (bytes.as_slice(), record.signature().as_str(), record.after_milliseconds),
        (&b"two"[..], "model a", 12)
    );
    assert!(fs::read_to_string(found.join("README.md")).unwrap().contains("gridproof fuzz replay ."));
}

#[test]
fn files_that_somebody_was_writing_when_he_was_killed_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("texts")).unwrap();
    fs::write(folder.path().join("corpus/.0123.77.0"), b"half").unwrap();
    fs::create_dir(folder.path().join("findings/.model-0123.77.1")).unwrap();
    assert!(store.corpus().unwrap().is_empty());
    assert!(store.findings().unwrap().read.is_empty());
}

#[test]
fn a_finding_that_cannot_be_read_is_told_of_and_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("texts")).unwrap();
    store.report(b"one", &failure("a"), 0, &settings("texts").scope).unwrap();
    let part = folder.path().join("findings/model-0123");
    fs::create_dir(&part).unwrap();
    fs::write(part.join("input"), b"two").unwrap();
    let findings = store.findings().unwrap();
    assert_eq!(findings.read.len(), 1);
    assert_eq!(findings.unreadable.len(), 1);
    assert!(findings.unreadable[0].contains("model-0123"), "{findings:?}");
    // A client over it goes on, too.
    assert!(run_client(folder.path(), 1).lines().last().unwrap().contains("Done"));
}

#[test]
fn a_signature_that_is_known_is_no_new_finding() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("texts")).unwrap();
    let report =
        |bytes: &[u8], subject: &str| store.report_new(bytes, &failure(subject), 0, &settings("texts").scope).unwrap();
    assert!(report(b"one", "a"));
    assert!(!report(b"two", "a"));
    assert!(report(b"two", "b"));
    assert_eq!(store.findings().unwrap().read.len(), 2);
}

#[cfg(unix)]
#[test]
fn an_input_that_is_a_device_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("texts")).unwrap();
    let found = store.report(b"one", &failure("a"), 0, &settings("texts").scope).unwrap();
    fs::remove_file(found.join("input")).unwrap();
    std::os::unix::fs::symlink("/dev/null", found.join("input")).unwrap();
    for said in [read_finding(&found).map(drop), minimize(&found, &Bench::default(), 1).map(drop)] {
        assert!(said.unwrap_err().to_string().contains("a pipe or a device"));
    }
}

#[test]
fn many_may_write_the_same_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("texts")).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..20_u8 {
                    store.keep(&[number]).unwrap();
                    store.report(&[number], &failure("a"), 0, &settings("texts").scope).unwrap();
                }
            });
        }
    });
    assert_eq!(store.corpus().unwrap().len(), 20);
    assert_eq!(store.findings().unwrap().read.len(), 20);
    let left = fs::read_dir(folder.path().join("findings")).unwrap().count();
    assert_eq!(left, 20, "unfinished folders are left");
}

#[test]
fn a_directory_with_another_campaign_or_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::NoCampaign { .. })));
    Store::create(folder.path(), &settings("texts")).unwrap();
    assert!(Store::create(folder.path(), &settings("texts")).is_ok());
    let other = Store::create(folder.path(), &settings("litmus")).unwrap_err();
    assert!(other.to_string().contains("resume"), "{other}");
    fs::write(folder.path().join("campaign.toml"), "seed = 1\nlimit_milliseconds = 1\nscope.only = [\"gdn\"]").unwrap();
    let unknown = Store::open(folder.path()).unwrap().settings().unwrap_err().to_string();
    assert!(unknown.contains("campaign.toml") && unknown.contains("`gdn`"), "{unknown}");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(Store::create(&file, &settings("texts")), Err(StoreError::System { .. })));
}

/// Standard input of a client: ends when the other end is dropped.
struct Until(Receiver<()>);

impl Read for Until {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        // Nothing is ever sent: this waits for the other end to go away.
        let ended = self.0.recv();
        assert!(ended.is_err(), "{ended:?}");
        Ok(0)
    }
}

/// Standard output of a client: stops it when it says something for the second time.
struct Said {
    text: Vec<u8>,
    stop: Option<Sender<()>>,
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend(bytes);
        if self.text.iter().filter(|byte| **byte == b'\n').count() >= 2 {
            self.stop = None;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run_client(folder: &Path, seed: u64) -> String {
    let (stop, stopped) = channel();
    let mut said = Said { text: Vec::new(), stop: Some(stop) };
    serve(folder, 0, seed, Until(stopped), &mut said).unwrap();
    String::from_utf8(said.text).unwrap()
}

#[test]
fn a_client_keeps_inputs_finds_what_is_switched_on_and_minimize_makes_it_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let switched_on = SwitchedOn { kernel: "resadd_norm_gemv_int4".to_owned(), variant: "fused".to_owned() };
    let scope = Scope { switched_on: Some(switched_on), ..Scope::default() };
    let store = Store::create(folder.path(), &Settings { scope, ..settings("texts") }).unwrap();
    let said = run_client(folder.path(), 1);
    assert!(said.lines().last().unwrap().contains("Done"), "{said}");
    let (corpus, findings) = (store.corpus().unwrap(), store.findings().unwrap().read);
    assert!(!corpus.is_empty());
    assert_eq!(findings.len(), 1, "{findings:?}");
    let (name, record) = &findings[0];
    assert_eq!(record.property, "verdict");
    assert!(record.message.contains("racy"), "{record:?}");

    let minimized = minimize(&folder.path().join("findings").join(name), &Bench::default(), 300).unwrap();
    assert!(minimized.fails && minimized.bytes[1] < 64, "{minimized:?}");
    assert_eq!(read_finding(&minimized.folder).unwrap().1.signature(), record.signature());

    // Another client goes on from there, loses nothing and finds the same only once.
    run_client(folder.path(), 2);
    assert!(store.corpus().unwrap().is_superset(&corpus));
    let signatures: Vec<String> = store.findings().unwrap().read.iter().map(|(_, record)| record.signature()).collect();
    assert!(signatures.iter().all(|signature| *signature == record.signature()), "{signatures:?}");
}

#[test]
fn what_does_not_fail_is_not_made_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &settings("litmus")).unwrap();
    let found = store.report(&[0; 40], &failure("nothing"), 0, &settings("litmus").scope).unwrap();
    let minimized = minimize(&found, &Bench::default(), 10).unwrap();
    assert!(!minimized.fails);
    assert_eq!(minimized.folder, found);
}
