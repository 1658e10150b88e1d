//! Independent work on every core.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// What `work` makes of each item, in the items' order, whatever finishes first. `done` sees each result as it comes, in
/// the thread of the caller: how many there are by then, the item's position, and the result.
pub fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize, usize, &R),
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for sender in vec![sender; workers] {
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                loop {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(position) else { break };
                    // The receiver outlives the workers; if it did not, nobody would want the result.
                    let _ = sender.send((position, work(item)));
                }
            });
        }
        for (before, (position, result)) in receiver.iter().enumerate() {
            done(before + 1, position, &result);
            results[position] = Some(result);
        }
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_their_items_and_each_is_told_once() {
        let items: Vec<usize> = (0..100).collect();
        let mut told = vec![0; items.len()];
        let mut counts = Vec::new();
        let squares = side_by_side(
            &items,
            |item| item * item,
            |count, position, square| {
                assert_eq!(*square, position * position);
                told[position] += 1;
                counts.push(count);
            },
        );
        assert_eq!(squares, items.iter().map(|item| item * item).collect::<Vec<_>>());
        assert_eq!((told, counts), (vec![1; items.len()], (1..=items.len()).collect::<Vec<_>>()));
        assert!(side_by_side(&[0; 0], |item| *item, |_, _, _| {}).is_empty());
    }
}
