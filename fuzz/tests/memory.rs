//! The limit on a client's memory, in a process of its own: nothing else is tested here.

#[cfg(target_os = "linux")]
#[test]
fn what_takes_more_than_the_limit_is_refused_and_a_higher_one_changes_nothing() {
    use gridproof_fuzz::campaign::limit_memory;
    let fits = |bytes: usize| Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    assert!(fits(3 << 30), "the system refuses 3 GiB itself");
    limit_memory(2 << 30).unwrap();
    assert!(!fits(3 << 30) && fits(64 << 20));
    limit_memory(8 << 30).unwrap();
    assert!(!fits(3 << 30));
}
