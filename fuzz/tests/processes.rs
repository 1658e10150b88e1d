//! What becomes of clients that end in every way there is. The clients are scripts, which have no bugs to wait for.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gridproof_fuzz::campaign::{CampaignError, Ended, RunOptions, Settings, Store, replay, run};
use gridproof_fuzz::input::Scope;
use gridproof_fuzz::oracle::{Failure, Property, Trial};

/// One test at a time: a script that is being written while another thread starts a process cannot be executed.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An executable that is called as clients are: an argument, the folder, the client's number, its seed.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("client.sh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn store(folder: &Path) -> Store {
    let scope = Scope { only: vec!["texts".to_owned()], ..Scope::default() };
    let settings = Settings { seed: 1, limit_milliseconds: 60_000, scope, ..Settings::default() };
    Store::create(&folder.join("campaign"), &settings).unwrap()
}

fn run_with(store: &Store, executable: PathBuf, jobs: u32) -> Ended {
    let options = RunOptions { executable, jobs, time: None, seed: 1, seed_as_given: false };
    run(store, &options, &AtomicBool::new(false), &|_| ()).unwrap()
}

#[test]
fn what_aborts_again_and_again_is_one_finding_with_its_input_and_a_summary() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    // Another input each time.
    let aborts = script(folder.path(), r#"printf "input $4" > "$2/clients/$3"; kill -ABRT $$"#);
    let ended = run_with(&store, aborts, 1);
    assert!(matches!(ended.early, Some(CampaignError::Restarts(_))), "{ended:?}");
    assert_eq!(ended.status.restarts, 8);
    let findings = ended.status.findings.read;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].1.signature(), "abort texts");
    let input = store.folder().join("findings").join(&findings[0].0).join("input");
    assert_eq!(fs::read_to_string(input).unwrap(), "input 1");
}

#[test]
fn a_client_that_ends_before_it_executes_anything_blames_no_input() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    // The first one executes an input and is killed, those after it end at once.
    let ends =
        script(folder.path(), r#"[ "$4" = 1 ] && printf input > "$2/clients/$3" && kill -KILL $$; kill -ABRT $$"#);
    let ended = run_with(&store, ends, 1);
    assert!(ended.early.is_some());
    assert!(ended.status.findings.read.is_empty(), "{ended:?}");
}

#[test]
fn runs_over_one_folder_give_their_clients_other_numbers_and_seeds() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let tells = script(folder.path(), r#"echo "$3 $4" >> "$2/../seen"; echo '{"Failed":"enough"}'"#);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let ended = run_with(&store, tells.clone(), 2);
        assert!(matches!(ended.early, Some(CampaignError::Client(_))), "{ended:?}");
        seen.push(fs::read_to_string(folder.path().join("seen")).unwrap());
    }
    let column =
        |at: usize| -> BTreeSet<&str> { seen[1].lines().map(|line| line.split(' ').nth(at).unwrap()).collect() };
    assert_eq!(seen[1].lines().count(), 4, "{seen:?}");
    assert_eq!((column(0).len(), column(1).len()), (4, 4), "{seen:?}");
    let first: BTreeSet<&str> = seen[0].lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(first, BTreeSet::from(["1", "2"]), "the folder's first run has the seeds that were given");
}

#[test]
fn a_finding_is_replayed_in_a_child_however_that_ends() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let failure = Failure { property: Property::Abort, subject: "texts".to_owned(), message: "long ago".to_owned() };
    let finding = store.report(&[0; 40], &failure, 0, &store.settings().unwrap().scope).unwrap();
    let try_with = |text: &str| replay(&finding, &script(folder.path(), text)).unwrap();
    let aborted = try_with("kill -ABRT $$");
    assert!(aborted.fails_again(), "{aborted:?}");
    let killed = try_with("kill -KILL $$");
    assert!(matches!(killed.trial, Trial::Skipped(_)), "{killed:?}");
    assert_eq!(try_with(r#"echo '{"Tried":"Holds"}'"#).trial, Trial::Holds);
    let refused = replay(&finding, &script(folder.path(), r#"echo '{"Failed":"no folder"}'"#)).unwrap_err();
    assert!(refused.to_string().contains("no folder"), "{refused}");
}
