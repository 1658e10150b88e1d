//! Both orders of a race, run: does the order reach the outputs, and which short schedule shows it?
//!
//! A witness lets the unit of one access run to its end first, then the unit of the other; all others
//! follow in index order. It is the shortest schedule there is, but not every race shows with it: two
//! accesses in a loop may need a switch in the middle. So "not visible" here means "not with these two
//! orders"; what the outputs lean on is the ladder's business.

use gridproof_launch::Dispatch;
use gridproof_simulator::SimulateError;
use gridproof_simulator::finding::{AccessSite, Finding};
use gridproof_simulator::schedule::{Schedule, Turns, Unit};

use super::examination::Examination;
use super::verdict::{counts, is_race};

/// Races whose orders are run. A report with more findings than this is read from the top.
const MOST: usize = 8;

/// Fills `output_visible` and `schedule` of the races among `findings`.
pub(super) fn add_witnesses(
    examination: &mut Examination<'_>,
    findings: &mut [Finding],
    slots: u32,
) -> Result<(), SimulateError> {
    for finding in findings.iter_mut().filter(|finding| is_race(finding) && counts(finding)).take(MOST) {
        let dispatch = usize::try_from(finding.first.dispatch).ok();
        let dispatch = dispatch.and_then(|position| examination.launch.dispatches.get(position));
        let Some(orders) = dispatch.and_then(|dispatch| orders(finding, dispatch, slots)) else { continue };
        for schedule in orders {
            let Some(visible) = examination.shows(&schedule)? else { break };
            if visible || finding.schedule.is_none() {
                finding.schedule = Some(schedule);
            }
            finding.output_visible = Some(visible);
            if visible {
                break;
            }
        }
    }
    Ok(())
}

/// The two orders of a race's units, writer first. `None` where one unit made both accesses.
fn orders(finding: &Finding, dispatch: &Dispatch, slots: u32) -> Option<[Schedule; 2]> {
    let (first, second) = (&finding.first, finding.second.as_ref()?);
    let (writer, other) = if first.action.is_write() { (first, second) } else { (second, first) };
    let inside = writer.workgroup == other.workgroup;
    let (writer, other) = (unit(writer, dispatch, inside)?, unit(other, dispatch, inside)?);
    if writer == other {
        return None;
    }
    // A workgroup can only run before those of lower index when all of them are resident.
    let slots = slots.max(writer.workgroup.max(other.workgroup).checked_add(1)?);
    let position = usize::try_from(first.dispatch).ok()?;
    let schedule = |units: [Unit; 2]| {
        let mut dispatches = vec![Vec::new(); position + 1];
        dispatches[position] = units.map(|unit| Turns { unit, count: None }).to_vec();
        Schedule { slots, any_start: false, all_points: false, dispatches }
    };
    Some([schedule([writer, other]), schedule([other, writer])])
}

/// The workgroup of an access, or its subgroup for a race inside a workgroup.
fn unit(site: &AccessSite, dispatch: &Dispatch, inside: bool) -> Option<Unit> {
    let [x, y, z] = site.workgroup;
    let [width, height, _] = dispatch.grid;
    let workgroup = z.checked_mul(height)?.checked_add(y)?.checked_mul(width)?.checked_add(x)?;
    Some(Unit { workgroup, subgroup: inside.then_some(site.subgroup) })
}
