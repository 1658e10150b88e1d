//! What can be left out of a kernel, and what it does without.

use gridproof_launch::{
    Argument, Buffer, BufferId, Change, Construct, DType, Dispatch, Edit, Fill, Launch, Module, Source,
};
use gridproof_simulator::finding::Rule;
use gridproof_simulator::mutation::sites;
use gridproof_simulator::{Config, prove};

/// A kernel of 64 invocations in each of two workgroups, over `data`, 100 words of zeros.
fn launch(source: Source) -> Launch {
    let (name, ptx) = if matches!(source, Source::Ptx(_)) { ("t.ptx", true) } else { ("t.wgsl", false) };
    let mut launch = Launch::default();
    let module = launch.add_module(Module::new(name, source));
    launch.add_buffer(Buffer::filled("data", DType::U32, [100_u64], Fill::Byte(0)).unwrap().as_output());
    let mut dispatch = Dispatch::new(module, "main", [2, 1, 1]);
    dispatch.workgroup = ptx.then_some([64, 1, 1]);
    dispatch.arguments = vec![Argument::buffer("data", BufferId(0), &launch.buffers[0])];
    launch.dispatches.push(dispatch);
    launch
}

fn wgsl(body: &str) -> Launch {
    let head = "@group(0) @binding(0) var<storage, read_write> data: array<u32>;\n\
                var<workgroup> part: array<u32, 64>;\n\
                override N: u32 = 100u;\n";
    let entry = "@compute @workgroup_size(64)\n\
                 fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {\n";
    launch(Source::Wgsl(format!("{head}{entry}{body}\n}}\n").into()))
}

/// Lines of the body, counted from 1, with what can be left out there.
fn found(body: &str) -> Vec<(u32, Construct)> {
    let sites = sites(&wgsl(body)).unwrap().sites;
    sites.into_iter().map(|found| (found.site.line - 5, found.site.construct)).collect()
}

/// The rules found, and the output, with a change at the only place where something can be left out.
fn changed(launch: &Launch, change: Change) -> (Vec<Rule>, Vec<u8>) {
    let all = sites(launch).unwrap().sites;
    let [only] = all.as_slice() else { panic!("{all:?}") };
    let mut launch = launch.clone();
    launch.modules[0].edits.push(Edit { site: only.site.clone(), change });
    let outcome = prove(&launch, &Config { threads: 1, ..Config::default() }).unwrap();
    (outcome.findings.iter().map(|finding| finding.rule).collect(), outcome.buffers[0].to_vec())
}

#[test]
fn conditions_that_leave_accesses_out_are_guards() {
    use Construct::{Barrier, Guard};
    for (body, expected) in [
        ("if (id.x < N) { data[id.x] = 1u; }", &[(1, Guard)][..]),
        ("if (id.x >= N) { return; }\ndata[id.x] = 1u;", &[(1, Guard)]),
        ("if (!(id.x < N)) { return; } else { data[id.x] = 1u; }", &[(1, Guard)]),
        ("if (i == 0u) { part[0] = 1u; }\nworkgroupBarrier();\ndata[id.x % N] = part[0];", &[(1, Guard), (2, Barrier)]),
        ("for (var j = i; j < N; j += 64u) {\nif (j % 3u == 0u) { continue; }\ndata[j] = 1u;\n}", &[(2, Guard)]),
        (
            "var x = 0u;\nif (id.x < N && data[id.x] == 0u) { x = 1u; }\nif (x == 1u) { data[id.x] = 1u; }",
            &[(2, Guard), (3, Guard)],
        ),
        ("storageBarrier();", &[(1, Barrier)]),
        // Nothing to leave out: both ways, neither way, the test of a loop, a constant, private memory.
        ("if (id.x < N) { data[id.x] = 1u; } else { data[0] = 1u; }", &[]),
        ("var x = 1u;\nif (id.x < N) { x = 2u; }\ndata[min(id.x, 99u)] = x;", &[]),
        ("for (var j = i; j < N; j += 64u) { data[j] = 1u; }", &[]),
        ("var j = i;\nloop {\nif (j >= N) { break; }\ndata[j] = 1u;\nj += 64u;\n}", &[]),
        ("var j = i;\nwhile (j < N) { data[j] = 1u; j += 64u; }", &[]),
        ("if (N == 100u) { data[id.x % N] = 1u; }", &[]),
        ("var own: array<u32, 8>;\nif (id.x < 8u) { own[id.x] = 1u; }\ndata[min(id.x, 99u)] = own[i % 8u];", &[]),
    ] {
        assert_eq!(found(body), expected, "{body}");
    }
}

/// The compiler's own form: one test before the loop and one behind its body.
#[test]
fn one_place_that_is_also_the_test_of_a_loop_is_no_guard() {
    let body = "var j = i;\nloop {\nif (j >= N) { break; }\nif (data[j] == 7u) { data[j] = 1u; }\nj += 64u;\n}";
    assert_eq!(found(body), [(4, Construct::Guard)]);
}

#[test]
fn places_in_functions_are_found_once_with_their_entries() {
    let text = "@group(0) @binding(0) var<storage, read_write> data: array<u32>;\n\
                fn put(at: u32) {\n  if (at < 100u) { data[at] = 1u; }\n}\n\
                @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n\
                  put(id.x);\n  put(id.x + 1u);\n}\n\
                @compute @workgroup_size(64) fn other(@builtin(global_invocation_id) id: vec3<u32>) { put(id.x); }\n";
    let mut launch = launch(Source::Wgsl(text.into()));
    let second = Dispatch { entry: "other".to_owned(), ..launch.dispatches[0].clone() };
    launch.dispatches.extend([second.clone(), second]);
    let sites = sites(&launch).unwrap();
    let [only] = sites.sites.as_slice() else { panic!("{sites:?}") };
    assert_eq!(
        (only.site.to_string().as_str(), only.entries.as_slice()),
        ("guard@t.wgsl:3:3", &["main", "other"].map(str::to_owned)[..])
    );
    assert_eq!(sites.files.len(), 1);
    // Without it all copies go.
    launch.modules[0].edits.push(Edit { site: only.site.clone(), change: Change::Remove });
    launch.dispatches.truncate(1);
    let outcome = prove(&launch, &Config::default()).unwrap();
    let bounds = outcome.findings.iter().filter(|finding| finding.rule == Rule::OutOfBounds).count();
    assert_eq!(bounds, 2, "{:?}", outcome.findings);
}

#[test]
fn without_a_guard_the_accesses_happen() {
    for body in ["if (id.x < N) { data[id.x] = 1u; }", "if (id.x >= N) { return; }\ndata[id.x] = 1u;"] {
        assert_eq!(changed(&wgsl(body), Change::Remove).0, [Rule::OutOfBounds], "{body}");
        // 28 invocations of the second workgroup are left out.
        assert_eq!(changed(&wgsl(body), Change::Trap).0, [Rule::Trap], "{body}");
    }
    let all = wgsl("if (id.x < 200u) { data[id.x % N] = 1u; }");
    let once = || prove(&all, &Config::default()).unwrap();
    // Nobody is left out: a trap there changes nothing.
    assert_eq!(changed(&all, Change::Trap), changed(&all, Change::Remove));
    assert_eq!(changed(&all, Change::Trap).1, once().buffers[0].to_vec());
}

#[test]
fn without_a_barrier_nobody_waits() {
    let body = "part[i] = i;\nworkgroupBarrier();\ndata[min(id.x, 99u)] = part[63u - i];";
    let is_race = |rule: &Rule| matches!(rule, Rule::WorkgroupRace);
    let clean = "part[i] = i;\nworkgroupBarrier();\nif (id.x < N) { data[id.x] = part[i]; }";
    assert!(changed(&wgsl(body), Change::Remove).0.iter().any(is_race));
    assert_eq!(changed(&wgsl(body), Change::Trap).0, [Rule::Trap]);
    let mut launch = wgsl(clean);
    let barrier = sites(&launch).unwrap().sites.into_iter().find(|found| found.site.construct == Construct::Barrier);
    launch.modules[0].edits.push(Edit { site: barrier.unwrap().site, change: Change::Remove });
    assert_eq!(prove(&launch, &Config::default()).unwrap().findings, []);
}

#[test]
fn ptx_has_sites_at_the_lines_that_its_compiler_names() {
    let ptx = |guard: &str| {
        let text = format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.file 1 \"k.cu\"\n.visible .entry main(.param .u64 data)\n\
             {{\n.reg .pred %p<2>;\n.reg .b32 %r<6>;\n.reg .b64 %d<4>;\n.shared .align 4 .b8 part[256];\n\
             ld.param.u64 %d1, [data];\nmov.u32 %r1, %tid.x;\nmov.u32 %r2, %ctaid.x;\nshl.b32 %r3, %r2, 6;\n\
             add.s32 %r3, %r3, %r1;\n.loc 1 7 3\nbar.sync 0;\n.loc 1 8 3\nsetp.ge.u32 %p1, %r3, 100;\n{guard}\n\
             mul.wide.u32 %d2, %r3, 4;\nadd.s64 %d3, %d1, %d2;\nst.global.u32 [%d3], %r1;\nDONE:\nret;\n}}\n"
        );
        let mut launch = launch(Source::Ptx(text.into()));
        launch.modules[0].files.push(("k.cu".to_owned(), "\n".repeat(8).into()));
        launch
    };
    let names = |launch: &Launch| {
        let sites = sites(launch).unwrap().sites;
        sites.iter().map(|found| found.site.to_string()).collect::<Vec<_>>()
    };
    let guarded = ptx("@%p1 bra DONE;");
    assert_eq!(names(&guarded), ["barrier@k.cu:7:3", "guard@k.cu:8:3"]);
    assert_eq!(names(&ptx("")), ["barrier@k.cu:7:3"]);
    for (site, rules) in [("guard@k.cu:8:3", &[Rule::OutOfBounds][..]), ("barrier@k.cu:7:3", &[])] {
        let mut edited = guarded.clone();
        edited.modules[0].edits.push(Edit { site: site.parse().unwrap(), change: Change::Remove });
        let found = prove(&edited, &Config::default()).unwrap().findings;
        assert_eq!(found.iter().map(|finding| finding.rule).collect::<Vec<_>>(), rules, "{site}");
    }
}

#[test]
fn an_edit_somewhere_else_changes_nothing() {
    let body = "if (id.x < N) { data[id.x] = 1u; }";
    let mut launch = wgsl(body);
    for site in ["guard@t.wgsl:6:2", "guard@other.wgsl:6:1", "barrier@t.wgsl:6:1"] {
        launch.modules[0].edits.push(Edit { site: site.parse().unwrap(), change: Change::Remove });
    }
    assert_eq!(prove(&launch, &Config::default()).unwrap().findings, []);
}
