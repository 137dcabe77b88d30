//! The crash and corruption schedules that break naive stores, by name. What
//! each is about stands with its function in `schedules/`.
#![allow(clippy::doc_lazy_continuation, clippy::manual_is_multiple_of)]

#[path = "schedules/mod.rs"]
mod schedules;

use schedules::{damage, limits, reclaiming, restart, sealing, tearing};

#[test]
fn schedule_01_unclean_start_leaves_no_cut() {
    restart::an_unclean_start_leaves_no_cut();
}

#[test]
fn schedule_02_flash_tells_torn_from_corrupt() {
    tearing::flash_tells_torn_from_corrupt();
}

#[test]
fn schedule_03_marginal_units_on_flash() {
    restart::marginal_units_on_flash();
}

#[test]
fn schedule_04_one_flip_is_not_judged_as_torn() {
    tearing::one_flip_is_not_judged_as_torn();
}

#[test]
fn schedule_05_damage_resurrects_no_old_versions() {
    damage::resurrects_no_old_versions();
}

#[test]
fn schedule_06_hot_and_cold_keep_their_order() {
    reclaiming::hot_and_cold_keep_their_order();
}

#[test]
fn schedule_07_tombstones_stay_while_they_are_needed() {
    reclaiming::tombstones_stay_while_they_are_needed();
}

#[test]
fn schedule_08_a_transaction_spans_a_reclaimed_segment() {
    reclaiming::a_transaction_spans_a_reclaimed_segment();
}

#[test]
fn schedule_09_free_and_erase_come_in_order() {
    reclaiming::free_and_erase_come_in_order();
}

#[test]
fn schedule_10_sealing_is_global() {
    sealing::sealing_is_global();
}

#[test]
fn schedule_11_succession_and_self_certified_puts() {
    sealing::succession_and_self_certified_puts();
}

#[test]
fn schedule_12_a_bad_frame_does_not_end_the_scan() {
    sealing::a_bad_frame_does_not_end_the_scan();
}

#[test]
fn schedule_13_the_page_cache_is_not_the_medium() {
    restart::the_page_cache_is_not_the_medium();
}

#[test]
fn schedule_14_crashes_leak_no_capacity() {
    restart::crashes_leak_no_capacity();
}

#[test]
fn schedule_15_a_new_segments_header_may_be_half_there() {
    tearing::a_new_segments_header_may_be_half_there();
}

#[test]
fn schedule_16_a_full_store_does_not_deadlock() {
    limits::a_full_store_does_not_deadlock();
}

#[test]
fn schedule_17_setup_over_an_old_store_with_the_same_id() {
    limits::setup_over_an_old_store_with_the_same_id();
}

#[test]
fn schedule_18_healing_becomes_durable() {
    damage::healing_becomes_durable();
}

#[test]
fn schedule_19_noise_behind_the_tail_is_contained() {
    damage::noise_behind_the_tail_is_contained();
}

#[test]
fn schedule_20_sequences_never_wrap() {
    limits::sequences_never_wrap();
}

#[test]
fn schedule_21_space_is_taken_at_creation() {
    limits::space_is_taken_at_creation();
}

#[test]
fn schedule_22_a_crash_and_a_flip_together_are_contained() {
    tearing::a_crash_and_a_flip_together_are_contained();
}

#[test]
fn saved_indexes_are_believed_by_their_sum() {
    damage::saved_indexes_are_believed_by_their_sum();
}

#[test]
fn what_grew_stays_grown() {
    damage::what_grew_stays_grown();
}

#[test]
fn a_lost_root_is_missed() {
    damage::a_lost_root_is_missed();
}

#[test]
fn a_lost_root_is_missed_after_any_cut() {
    damage::a_lost_root_is_missed_after_any_cut();
}
