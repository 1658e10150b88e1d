//! The protocol without a device: a worker whose machine is made up, and the matrix with workers that are shell scripts.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use gridproof_gpu::nvrtc::Cubin;
use gridproof_gpu::{LimitExceeded, RunError};
use gridproof_launch::{Arithmetic, Contents, Launch};

use super::child::{Machine, serve_with};
use super::protocol::{Answer, CellText, Ready, Reply, Request};
use super::*;
use crate::script;

fn case(variant: &str) -> Case {
    Case {
        kernel: "resadd_norm_gemv_int4".to_owned(),
        variant: variant.to_owned(),
        shape: "n=16,k=512".to_owned(),
        seed: 0,
        arithmetic: Arithmetic::FUSED,
        subgroup_sizes: Vec::new(),
        legs: Vec::new(),
        file: String::new(),
    }
}

/// A machine whose next launch gives just this.
struct MadeUp(Cell<Option<Result<Vec<Option<Contents>>, RunError>>>);

impl Machine for MadeUp {
    fn ready(&self) -> Ready {
        Ready { device: "made up".to_owned(), profiles: vec!["fused".to_owned()] }
    }

    fn architecture(&self) -> String {
        "sm_90".to_owned()
    }

    fn run(&self, launch: &Launch, machine_code: &[Option<Cubin>]) -> Result<Vec<Option<Contents>>, RunError> {
        assert!(machine_code.len() == launch.modules.len() && machine_code.iter().all(Option::is_some));
        self.0
            .take()
            .unwrap_or_else(|| Ok(launch.buffers.iter().map(|b| b.output.then(|| b.contents.clone())).collect()))
    }
}

/// What a worker says to these lines.
fn said(result: Option<RunError>, requests: &[Request]) -> (Vec<Answer>, Result<(), String>) {
    let mut input = String::new();
    for request in requests {
        writeln!(input, "{}", serde_json::to_string(request).unwrap()).unwrap();
    }
    let mut output = Vec::new();
    let machine = MadeUp(Cell::new(result.map(Err)));
    let ended = serve_with(|| Ok(machine), input.as_bytes(), &mut output);
    let lines = std::str::from_utf8(&output).unwrap().lines();
    (lines.map(|line| serde_json::from_str(line).unwrap()).collect(), ended)
}

fn cell(variant: &str) -> Request {
    Request::Cell(CellText::new(&case(variant)))
}

#[test]
fn a_case_survives_its_text() {
    assert_eq!(CellText::new(&case("split")).case(), Ok(case("split")));
}

#[test]
fn a_worker_asks_for_its_turn_only_for_what_runs() {
    if crate::cuda::unavailable().is_some() {
        eprintln!("skipped: no CUDA compiler");
        return;
    }
    let skipped = CellResult::Skipped("a racy launch has no single right answer on a device".to_owned());
    let (answers, ended) = said(None, &[cell("fused_no_barrier"), cell("split"), Request::Go]);
    assert_eq!(ended, Ok(()));
    assert!(matches!(answers[0], Answer::Ready(_)));
    assert_eq!(answers[1..4], [Answer::Done(Reply::new(skipped, false)), Answer::Turn, Answer::Ran]);
    // The made-up machine leaves every buffer as it was.
    let Answer::Done(reply) = answers[4].clone() else { panic!("{answers:?}") };
    assert!(matches!(reply.result(), CellResult::Disagreed(reason) if reason.contains("the model says")));
}

#[test]
fn what_a_run_fails_with_decides_what_becomes_of_the_cell_and_the_worker() {
    if crate::cuda::unavailable().is_some() {
        eprintln!("skipped: no CUDA compiler");
        return;
    }
    let limit = LimitExceeded { what: gridproof_gpu::Limit::GridExtent, value: 9, limit: 8, place: "here".to_owned() };
    let errors = [
        (RunError::TooLittleMemory { wanted: 9, free: 8 }, false, false),
        (RunError::Limit(limit), false, false),
        (RunError::Internal("words".to_owned()), true, false),
        (RunError::Fault { reason: "words".to_owned() }, true, true),
    ];
    for (error, disagrees, lost) in errors {
        let words = error.to_string();
        let (answers, ended) = said(Some(error), &[cell("split"), Request::Go]);
        let result = if disagrees { CellResult::Disagreed(words) } else { CellResult::Skipped(words) };
        assert_eq!((answers.last(), ended), (Some(&Answer::Done(Reply::new(result, lost))), Ok(())));
    }
}

#[test]
fn a_worker_ends_at_words_it_does_not_expect() {
    assert!(said(None, &[Request::Go]).1.is_err());
    let mut output = Vec::new();
    let closed = serve_with(|| Err::<MadeUp, _>("no device".to_owned()), &b""[..], &mut output);
    assert_eq!((closed, output.as_slice()), (Ok(()), &b"{\"unavailable\":\"no device\"}\n"[..]));
}

/// A leg whose workers are this shell script.
fn leg(text: &str) -> (tempfile::TempDir, CudaLeg) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker");
    let ready = r#"{"ready":{"device":"made up","profiles":["fused"]}}"#;
    let folder_of_it = folder.path().display();
    script::write(&path, &format!("cd {folder_of_it}\necho started >> starts\necho '{ready}'\n{text}"));
    let leg = CudaLeg { executable: Ok(path), ..CudaLeg::new(Ok(0), String::new()) };
    (folder, leg)
}

fn starts(folder: &tempfile::TempDir) -> usize {
    std::fs::read_to_string(folder.path().join("starts")).unwrap().lines().count()
}

const DONE: &str = r#"echo '{"done":{"outcome":"agreed","reason":"","lost":false}}'"#;

#[test]
fn cells_go_to_one_worker_as_long_as_it_has_its_device() {
    let turn = r#"echo '"turn"'; read go; [ "$go" = '"go"' ] || exit 3; echo '"ran"'"#;
    let (folder, leg) = leg(&format!("while read cell; do {turn}; {DONE}; done"));
    assert_eq!([leg.run(&case("split")), leg.run(&case("split"))], [CellResult::Agreed, CellResult::Agreed]);
    let other = Case { arithmetic: Arithmetic::SEPARATE, ..case("split") };
    let skipped = CellResult::Skipped("the device does not compute in profile `separate`".to_owned());
    assert_eq!((leg.run(&other), starts(&folder)), (skipped, 1));
    assert_eq!(leg.description().as_deref(), Some("made up; profiles: fused"));
}

#[test]
fn a_lost_device_costs_one_cell_and_a_worker() {
    let lost = r#"echo '{"done":{"outcome":"disagreed","reason":"the kernel faulted","lost":true}}'"#;
    let (folder, leg) =
        leg(&format!("if [ $(wc -l < starts) = 1 ]; then read cell; {lost}; fi; while read cell; do {DONE}; done"));
    assert_eq!(leg.run(&case("split")), CellResult::Disagreed("the kernel faulted".to_owned()));
    assert_eq!([leg.run(&case("split")), leg.run(&case("split"))], [CellResult::Agreed, CellResult::Agreed]);
    assert_eq!(starts(&folder), 2);
}

#[test]
fn a_worker_that_dies_is_told_with_its_last_words() {
    let (folder, leg) = leg(&format!(
        "read cell; if [ $(wc -l < starts) = 1 ]; then echo '\"turn\"'; read go; echo 'out of luck' >&2; exit 9; fi; {DONE}"
    ));
    let died = CellResult::Disagreed("the worker ended: exit status: 9: out of luck".to_owned());
    assert_eq!([leg.run(&case("split")), leg.run(&case("split"))], [died, CellResult::Agreed]);
    assert_eq!(starts(&folder), 2);
}

#[test]
fn workers_take_turns_on_the_device() {
    // Whoever finds another one on the device says so.
    let turn =
        r#"echo '"turn"'; read go; mkdir busy || exit 3; ls / > /dev/null; ls / > /dev/null; rmdir busy; echo '"ran"'"#;
    let (folder, leg) = leg(&format!("while read cell; do {turn}; {DONE}; done"));
    let leg = Arc::new(leg);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let leg = leg.clone();
            std::thread::spawn(move || (0..3).map(|_| leg.run(&case("split"))).collect::<Vec<_>>())
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), vec![CellResult::Agreed; 3]);
    }
    assert!((1..=3).contains(&starts(&folder)));
}

#[test]
fn a_device_that_cannot_be_used_skips_and_a_broken_worker_disagrees() {
    let leg = CudaLeg::new(Err("no CUDA driver: words".to_owned()), String::new());
    assert_eq!((leg.name.as_str(), leg.unusable().as_deref()), ("cuda:none", Some("no CUDA driver: words")));
    assert_eq!(leg.run(&case("split")), CellResult::Skipped("no CUDA driver: words".to_owned()));
    let broken = CudaLeg { executable: Ok("/bin/false".into()), ..CudaLeg::new(Ok(1), String::new()) };
    assert_eq!(broken.run(&case("split")), CellResult::Disagreed("the worker ended: exit status: 1".to_owned()));
}
