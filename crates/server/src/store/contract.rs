//! What every engine must do, as cases that run on each. An engine's tests call
//! `contract_tests!(path::to::factory)`, where the factory is an async function that gives a fresh,
//! empty, migrated store and a guard that is dropped after the case:
//! `async fn factory() -> (Arc<dyn Store>, Guard)`.
//!
//! Each case is an `async fn name(store: Arc<dyn Store>)`, named in the list below; those under
//! `two_stores` get a second, empty store. No case waits for a clock: time is a value.

pub(crate) mod account;
pub(crate) mod effect;
pub(crate) mod fixtures;
pub(crate) mod lists;
pub(crate) mod people;
pub(crate) mod places;
pub(crate) mod refresh;
pub(crate) mod revocation;
pub(crate) mod session;
pub(crate) mod sign_in;
pub(crate) mod status;
pub(crate) mod together;
pub(crate) mod upkeep;

/// Expands to one test per case. The cases in which two act at once come first.
macro_rules! contract_tests {
    ($factory:path) => {
        $crate::store::contract::contract_tests! { @one $factory;
            together: one_generation_is_consumed_once, a_chain_under_contention_loses_no_step,
                no_rotation_after_an_answered_revocation, no_rotation_after_an_answered_disable,
                no_rotation_after_an_answered_stamp, no_rotation_after_an_answered_client_disable,
                log_numbers_are_gapless_and_ordered, one_revocation_of_a_session_counts,
                the_session_limit_holds_together, one_add_of_a_name_succeeds,
                one_replacement_of_a_revision_succeeds, one_replay_of_many_is_counted_each,
                starts_and_a_disable_leave_nothing_live, one_ticket_starts_one_session,
                one_take_of_a_ticket_succeeds, one_renewal_of_a_secret_succeeds, one_use_of_a_factor_succeeds,
                one_change_of_ones_own_leaves_one_browser, an_end_and_a_change_of_ones_own_leave_nothing_live,
                starts_and_a_sign_out_leave_nothing_live, a_notice_goes_to_one,
                replacements_of_a_resource_leave_one;
            refresh: a_rotation_moves_what_it_must, a_rotation_returns_what_is_stored,
                reuse_policy_keeps_the_generation, another_generation_changes_nothing,
                another_client_changes_nothing, another_nonce_changes_nothing,
                a_stale_client_revision_changes_nothing, an_unknown_session_changes_nothing,
                expiry_is_exact_to_the_millisecond, idle_moves_and_absolute_never,
                idle_never_moves_backwards, time_only_ages, recent_keeps_the_last_four,
                a_replay_is_conditional, a_replay_is_counted_and_told, lockstep_is_stored,
                a_refresh_adds_no_row;
            effect: the_sql_does_what_the_pure_form_says;
            session: a_session_starts_as_asked, starting_needs_its_gates, the_limit_ends_the_oldest,
                the_limit_counts_live_ones_only, ended_is_terminal, network_is_noted,
                standing_of_nothing_is_none, the_tenant_must_match, all_fields_survive;
            revocation: revoking_a_session, revoking_a_user, revoking_a_client, revoking_a_tenant,
                revoking_everything, revoking_a_token, revoking_what_is_not_there,
                a_reuse_is_told_before_the_end, previews_change_nothing, receipts_count_live_sessions,
                log_entries_are_read_in_pages, log_entries_expire, liveness_of_a_session_token,
                a_removed_users_sessions_are_nobodys, liveness_of_a_client_token, liveness_of_the_caller, liveness_follows_every_cut,
                client_position_is_gated, an_epoch_ends_all_and_later_ones_live;
            people: users_are_unique, user_changes, disable_and_enable_never_revive,
                roles_end_sessions_only_when_removed, clients_are_unique, client_replacement_is_conditional,
                client_disable_and_enable_never_revive, a_removed_client_ends_its_sessions,
                a_client_of_a_removed_name_starts_afresh, keys_are_numbered_once,
                keys_retire_and_go, resources_come_change_and_go;
            lists: sessions_in_pages, sessions_by_filter, users_in_pages, users_by_filter,
                clients_in_pages, resources_in_pages, events_in_pages, events_by_filter;
            sign_in: a_browser_session_starts_as_asked, a_browser_session_needs_its_user,
                a_browser_session_ends_with_its_gates, a_renewal_changes_the_secret,
                a_browser_session_goes_on_after_a_change_as_old_as_it_was,
                a_change_of_ones_own_needs_its_browser_session,
                use_moves_the_idle_expiry_of_a_browser_session, a_browser_session_ends_what_ends_with_it,
                tickets_are_replaced_and_taken, a_sign_in_spends_its_ticket,
                a_refused_sign_in_changes_nothing, sign_ins_are_purged;
            places: a_place_is_noted_with_its_browser_session, the_places_not_seen_for_longest_go,
                a_place_is_settled_and_forgotten, places_are_purged;
            account: factors_come_and_go_with_the_stamp, recovery_codes_are_replaced_together,
                a_factor_is_used_up_to_a_counter, a_profile_is_set,
                consents_are_remembered, withdrawing_a_consent_ends_the_sessions,
                a_removed_user_leaves_nothing_live, clients_are_told_of_logouts,
                notices_of_some_clients_are_passed_over, notices_are_put_off_and_given_up;
            status: an_index_is_given_once, an_index_is_given_when_it_is_asked_for,
                a_full_list_is_followed_by_the_next, a_refused_session_takes_no_index,
                a_list_says_what_has_ended, a_list_says_what_liveness_says,
                an_index_is_free_again_when_its_session_is_purged, an_epoch_leaves_its_lists_behind;
            upkeep: purge_removes_only_what_is_past, purge_is_done_in_steps, versions_move, a_ping_answers,
                a_change_is_waited_for_no_longer_than_asked, export_is_in_pages, unknown_tables_are_refused;
        }
        $crate::store::contract::contract_tests! { @two $factory;
            upkeep: an_export_can_be_imported, an_import_goes_on_where_it_was,
                a_backup_without_sign_ins_can_be_imported, tables_can_be_imported_in_any_order,
                sessions_of_nearly_one_id_are_told_apart;
        }
    };
    (@one $factory:path; $($file:ident: $($case:ident),* ;)*) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _guard) = $factory().await;
            $crate::store::contract::$file::$case(store).await;
        }
    )*)*};
    (@two $factory:path; $($file:ident: $($case:ident),* ;)*) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (store, _guard) = $factory().await;
            let (other, _other_guard) = $factory().await;
            $crate::store::contract::$file::$case(store, other).await;
        }
    )*)*};
}

pub(crate) use contract_tests;
