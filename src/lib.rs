//! Evolve Business: the customer-facing backend of a software platform. One binary serves a GraphQL API
//! over a store on SQLite or PostgreSQL, and a worker that bills by the clock.
//!
//! # The map of the house
//!
//! ```text
//! main → cli → app → http → graphql → services → billing            (pure rules)
//!                  ↘ worker ───────↗           ↘ store → store::entity (private)
//!                                              ↘ adapters            (gateways and their simulators, mail, files)
//! leaves anyone may use: ids, clock, error, config (types only), money, telemetry
//! ```
//!
//! `ARCHITECTURE.md` walks one request through these rooms and says how to add to them.
//!
//! # Invariants
//!
//! 1. `billing` is pure: no `async`, no database, no clock, no randomness, no floats.
//!    test: `billing_has_no_clock_no_waiting_and_no_floats`
//! 2. Rooms are used in the direction that is drawn, and the store alone knows the database's crates.
//!    tests: `rooms_are_used_in_the_direction_that_is_drawn`, `only_the_store_names_the_crates_of_the_database`
//! 3. A tenant's row is reached only through `Tenant`, and its capabilities are made in a short list of places.
//!    tests: `two_businesses_neither_see_nor_change_each_other`, `a_tenant_scope_is_made_in_the_listed_files_alone`,
//!    `the_system_capability_is_opened_in_the_listed_files_alone`, `banned_calls_are_expected_in_the_listed_files_alone`
//! 4. On PostgreSQL row-level security keeps businesses apart even without the program's own filter.
//!    tests: `row_level_security_alone_keeps_two_businesses_apart`, `no_id_crosses_by_the_database_s_own_wall`
//! 5. What belongs to another business answers as what does not exist.
//!    test: `another_business_s_ids_answer_as_ids_that_do_not_exist`
//! 6. A reference across businesses cannot be stored.
//!    test: `a_reference_across_businesses_cannot_be_stored`
//! 7. A query sees one state of the database, and cannot write.
//!    tests: `a_snapshot_is_one_state_while_others_write`, `a_snapshot_cannot_write`,
//!    `a_snapshot_is_repeatable_read_and_read_only_and_a_write_is_neither`
//! 8. Nothing of a document runs unless all of it, with its variables, was found good within its limits.
//!    tests: `a_mutation_with_a_missing_variable_runs_nothing`, `a_fragment_bomb_is_refused_without_being_spread_out`,
//!    `nested_brackets_are_refused_on_a_workers_stack`, `the_front_door_reads_every_scalar`
//! 9. A client that goes away cuts no change in half and leaves the pool clean.
//!    tests: `a_write_that_is_dropped_at_any_poll_is_whole_and_leaves_the_pool_clean`,
//!    `a_request_that_is_dropped_at_any_moment_leaves_the_pool_clean`
//! 10. An operation that refuses leaves no trace.
//!     tests: `a_transaction_that_fails_leaves_nothing`, `changes_that_are_not_offered_are_refused_and_leave_no_trace`
//! 11. The same idempotency key acts once, however often and however concurrently it is sent.
//!     tests: `thirty_two_transactions_with_one_key_act_once`, `the_same_key_pays_once_and_another_input_under_it_is_refused`
//! 12. An invoice has one live attempt at most, and a lost answer is never taken for a failure.
//!     tests: `sixteen_requests_at_once_charge_an_invoice_once`, `a_lost_answer_to_a_charge_that_was_made_is_found_and_settled_once`,
//!     `a_charge_that_never_arrived_fails_only_after_the_gateway_has_barred_it`
//! 13. A crash between a charge and its answer ends with one charge and one settled payment.
//!     tests: `a_crash_after_the_gateways_charge_ends_with_one_charge_and_one_settled_payment`,
//!     `killed_between_charge_and_answer`
//! 14. A job is done by whoever holds its fence, and by nobody else.
//!     tests: `eight_claimers_share_the_jobs_and_none_is_handed_out_twice`,
//!     `a_worker_that_lost_its_lease_cannot_overwrite_its_successors_result`
//! 15. A boundary is billed once, in order, however late and by however many.
//!     tests: `catching_up_bills_every_missed_period_once_and_in_order`, `two_renewals_at_once_bill_once`
//! 16. What a preview showed is billed exactly, or refused.
//!     tests: `a_preview_of_a_change_comes_true_or_is_stale`, `a_preview_shows_what_is_billed_and_its_token_holds_for_fifteen_minutes`
//! 17. Invoice numbers have no gaps.
//!     test: `numbers_are_gapless_when_many_subscribe_at_once`
//! 18. No money is made or lost by rounding, splitting or crediting.
//!     tests: `shares_add_up_to_the_whole`, `credit_notes_add_up_to_their_invoice_exactly`,
//!     `no_credit_exceeds_the_charge_it_takes_back`, `changes_within_a_period_come_to_its_time_weighted_price`,
//!     `periods_tile_time_without_gap_or_overlap`
//! 19. Amounts, rates and instants come back from either database as they went in.
//!     tests: `amounts_come_back_to_the_last_minor_unit`, `rates_come_back_to_the_last_digit`,
//!     `instants_come_back_to_the_microsecond_and_sort_by_time`
//! 20. A list's relations cost the same number of statements however long the list is.
//!     test: `products_with_plans_prices_and_features_take_the_same_statements_for_3_and_for_30_plans`
//! 21. Production refuses a login that could pass by the walls.
//!     tests: `weaknesses_are_named`, `production_serves_as_the_readme_sets_it_up_and_refuses_a_login_that_is_too_strong`
//! 22. The printed schemas are the schemas, and the business API shows nothing of staff.
//!     tests: `the_printed_schema_is_the_schema`, `the_printed_staff_schema_is_the_schema`,
//!     `nothing_of_staff_shows_in_the_business_schema`
//! 23. Who may do what is one reviewed table for each API, and a new field is in it or fails.
//!     tests: `the_matrix_of_who_may_do_what_is_as_it_was_agreed`, `the_matrix_of_what_staff_may_do_is_as_it_was_agreed`
//! 24. A key's text is stored nowhere, and a key does what its scopes say and nothing else.
//!     tests: `a_key_is_shown_once_and_its_text_is_stored_nowhere`, `no_key_manages_keys_sessions_or_passwords`
//! 25. An event is committed with what it tells of, or not at all, and reaches each consumer in its aggregate's order, at least once.
//!     tests: `an_event_of_a_transaction_that_fails_is_none`, `an_event_waits_for_the_one_before_it_and_for_no_other`,
//!     `a_thousand_events_reach_each_consumer_in_order_and_once_though_a_server_is_killed`
//! 26. A link in a mail works once, in its time, for what it is for, and is stored as a hash alone.
//!     tests: `a_new_password_is_chosen_once_and_ends_every_session`, `a_token_is_stored_as_a_hash_alone`
//! 27. A token of one API is nobody's at the other.
//!     test: `a_token_of_one_api_is_nobodys_at_the_other`
//! 28. Whoever reads, a thing is shown with its own business's rows, in as many statements for many as for one.
//!     tests: `everything_is_shown_with_its_own_business`,
//!     `lists_across_businesses_take_the_same_statements_for_one_and_for_thirty`
//! 29. A coupon is redeemed no more often than it may be, however many try at once, and once by each sign-up.
//!     tests: `of_sixteen_who_redeem_a_coupon_at_once_five_succeed`, `a_sign_up_that_is_replayed_or_refused_redeems_nothing_more`
//! 30. Every event of money is entered in double entry in its own transaction, and nothing that is stored contradicts itself.
//!     tests: `each_event_of_money_is_entered_with_what_it_posts`, `what_contradicts_itself_is_found_by_its_check`,
//!     `five_years_pass_through_graphql_alone_and_the_doctor_finds_nothing`
//! 31. An audit event that was edited, removed, added or put elsewhere breaks its chain.
//!     test: `a_trail_that_was_tampered_with_is_found_by_its_chain`
//! 32. However many change one subscription at once, no change is lost and their order explains what stands.
//!     tests: `sixty_four_clients_change_one_plan_a_thousand_times_and_no_change_is_lost`,
//!     `of_thirty_two_requests_at_once_with_one_key_one_acts_and_all_answer_the_same`
//! 33. What passes on a test clock is what a worker would have done, in its order, and passes for nobody else.
//!     tests: `a_year_of_renewals_passes_on_a_test_clock_and_nowhere_else`, `a_clock_stops_at_work_that_is_given_up_and_says_so`
//! 34. A payment is never paid back beyond what was taken, and no refund twice; one that fails is account credit.
//!     tests: `refunds_come_to_no_more_than_was_taken_by_the_databases_own_check`,
//!     `a_refund_whose_outcome_was_lost_with_its_worker_is_paid_once`, `a_refund_that_never_arrived_is_sent_again_with_its_key`,
//!     `a_refund_that_fails_becomes_account_credit`
//! 35. A business has an owner at all times, and whoever leaves it is out at once, and out of no other.
//!     tests: `the_last_owner_stays_an_owner_and_stays`, `of_two_owners_who_leave_at_once_one_stays`,
//!     `whoever_leaves_is_signed_out_of_that_business_alone`
//! 36. An invitation is accepted once, in its time, by whoever shows the link that was mailed to it.
//!     tests: `an_invitation_works_once_in_its_time_and_not_after_it_is_taken_back`, `of_two_who_accept_at_once_one_joins`,
//!     `an_invitations_token_is_stored_as_a_hash_alone`
//! 37. An event of usage counts once, however often and however concurrently it is sent, and no more is counted than a hard limit lets.
//!     tests: `sixteen_calls_at_once_with_the_same_events_count_each_once`, `of_sixty_four_at_once_the_last_ten_units_go_to_ten`,
//!     `each_event_is_counted_once_whatever_storm_it_comes_through`
//! 38. A call of a thousand events takes as many statements as one of one.
//!     test: `a_thousand_events_take_as_many_statements_as_one`
//! 39. A threshold of usage is told of once in a usage period.
//!     tests: `of_sixteen_calls_at_once_that_reach_a_threshold_one_tells_of_it`,
//!     `a_quantity_reaches_each_threshold_once_however_it_comes_there`
//! 40. Events of usage go in their time, what they come to stays, and a part of a table is out of everybody's reach.
//!     tests: `events_go_in_their_time_and_what_they_come_to_stays`, `parts_are_out_of_reach`
//! 41. A file that a customer uploads lies nowhere as it is, opens in its own place alone, and is handed out by a link in its time.
//!     tests: `nothing_plain_of_a_file_lies_anywhere`, `a_sealed_file_opens_in_its_own_place_alone`,
//!     `a_link_is_good_for_a_quarter_of_an_hour_and_for_one_file`, `a_file_that_was_stored_and_never_taken_is_removed`
//! 42. A verification is approved after it was submitted and scanned, and no file in which something was found is handed out.
//!     tests: `on_any_walk_an_approval_follows_a_submission_and_only_an_approval_runs_out`, `what_the_scanner_finds_is_never_handed_out`
//! 43. Of every column it is said what it holds, and all that is personal is in a business's export.
//!     tests: `every_column_of_both_databases_is_classified`, `an_export_has_every_personal_column_and_no_secret`
//! 44. Nothing of an erased business is left but what tax law keeps, and its audit chain holds.
//!     test: `nothing_of_an_erased_business_is_left_but_what_tax_law_keeps`
//! 45. Nothing of another business, and nothing that its caller may not read, is told to who listens, and nobody is listened to for ever.
//!     tests: `another_business_hears_nothing`, `who_may_not_read_it_may_not_listen_for_it`, `a_socket_ends_with_what_it_was_opened_by`
//! 46. A change at one server reaches who listens at another, and one that nobody told of is found.
//!     tests: `a_change_at_one_server_reaches_who_listens_at_another`,
//!     `a_change_that_nobody_told_of_is_found_by_looking_back_and_told_once`, `a_connection_that_is_lost_loses_no_change`
//! 47. What the process tells of itself holds nothing personal, and is bounded whatever clients call their operations.
//!     tests: `what_is_told_holds_nothing_personal_and_every_figure_is_told_and_documented`,
//!     `ten_thousand_names_of_operations_leave_lines_and_memory_bounded`
//! 48. A server that is to run trusted documents alone runs no other, however it comes; what is kept of documents for clients has passed, and is bounded.
//!     tests: `a_server_of_trusted_documents_alone_refuses_any_other_however_it_comes`, `what_does_not_pass_is_not_kept`,
//!     `what_is_kept_for_clients_is_bounded_in_bytes_and_in_number`
//! 49. What a payer's bank takes, gives back or keeps of a charge is booked once, however often and in whatever order it is told.
//!     tests: `the_money_of_a_dispute_moves_once_however_it_is_told`, `a_dispute_told_of_many_times_and_in_no_order_counts_once`
//! 50. In whatever a gateway's list and our rows differ, it is found within a day and told once, and nothing is changed by it.
//!     tests: `every_way_in_which_stripes_list_differs_is_found`, `what_differs_is_told_once_and_marked_when_it_has_cleared`
//! 51. What is suspended has an open invoice, and has access again when none is open, whoever settles it.
//!     tests: `what_contradicts_a_dispute_is_found_by_its_check`, `staff_who_call_off_or_give_up_on_what_was_charged_once_more_give_access_back`,
//!     `what_a_bank_keeps_is_charged_once_more_and_access_is_back_when_that_is_paid`
//! 52. A trial's end is told of once beforehand, and a suspension once, and neither where it is no longer so.
//!     tests: `a_trial_is_told_of_three_days_before_its_end_once_with_what_it_charges_and_to_what`,
//!     `nobody_is_told_of_a_trial_that_is_cancelled_until_that_is_taken_back`, `a_suspension_is_told_of_once_with_what_restores_access`,
//!     `nobody_is_told_of_a_suspension_that_is_over`
//!
//! # Global by design
//!
//! Every other table belongs to one business, and row-level security shows a tenant its own rows alone.
//!
//! - `users`: a person may work for several businesses. A tenant sees those who are its members, without the hash of the password.
//! - `sessions`: found at refresh before anybody is known. A tenant reads its own; the system alone writes.
//! - `refresh_tokens`: found by their hash before anybody is known; for the system alone.
//! - `api_key_hashes`: a key of a business is found by its hash before anybody is known; for the system alone.
//! - `invitation_tokens`: the link of an invitation is found by its hash before anybody is known; for the system alone.
//! - `second_factors`, `recovery_codes`: of people and of staff, asked for before anybody is let in; for the system alone.
//! - `external_identities`, `external_sessions`: whom the subjects of an identity provider are, and the sessions that its tokens carry,
//!   asked for before anybody is known; for the system alone.
//! - `email_changes`: addresses that people want to sign in with and have not confirmed; for the system alone.
//! - `service_keys`: keys of the platform's own products; for the system alone.
//! - `account_tokens`, `account_requests`: links in mails are found by their hash before anybody is known, and requests for
//!   them are counted by address, known or not; for the system alone.
//! - `products`, `plans`, `plan_versions`, `plan_prices`, `plan_features`, `tax_rates`, `sellers`, `verification_rules`: the
//!   catalogue, which everybody reads and the system alone writes.
//! - `coupons`, `coupon_plans`: everybody reads them and the system alone makes them; a tenant that subscribes counts
//!   its redemption, and may change nothing else of a coupon.
//! - `gateway_events`: which events of gateways were heard before, whose payment they name, if any, is found by the system alone.
//! - `gateway_comparisons`, `gateway_differences`: what gateways list may be of nobody that is known here; for the system alone.
//! - `usage_retention`: since when all events of usage are kept, which one sweep decides for everybody; for the system alone.
//! - `test_clocks`: clocks of a sandbox, for the system alone; a tenant sees the one that it is on.
//! - `staff_users`, `staff_sessions`, `staff_refresh_tokens`, `staff_mails`, `platform_audit_heads`, `platform_audit_events`: the platform's
//!   own people and what they did that concerns no business; for the system alone.
//! - `invoice_counters`: numbers of documents are gapless across the whole seller, not within a business.
//! - `invoice_register`: which document took which number. A tenant sees its own entries.
//!
//! # Glossary
//!
//! - **Access**: a caller whose session and membership, or whose key, were found good in the transaction at hand.
//! - **Account credit**: money that the business has with the seller; it pays the next invoice.
//! - **Anchor**: the local date from which the boundaries of periods are counted, so that they do not drift.
//! - **Boundary**: where one period ends and the next begins.
//! - **Capability**: a value whose holder may touch rows: `Tenant`, `System`, `Catalogue`.
//! - **Coupon**: what takes something off the charged periods of a subscription, for some of them or for ever.
//! - **Credit note**: a numbered document that takes back part of an invoice.
//! - **Consumer**: who is told of events: the notifications, in the application and by mail.
//! - **Delivery**: an event that an endpoint of webhooks is told of, attempt by attempt.
//! - **Dispute**: what a payer's bank begins about a charge, from its question to its decision.
//! - **Dunning**: the ladder of a subscription that is not paid: retries, suspension, cancellation.
//! - **Endpoint**: a URL where a business wants to be told of events.
//! - **Fence**: a number that grows whenever somebody takes a job or payment in hand; whoever has an older one may write nothing.
//! - **Idempotency key**: the client's name for an order: sent again, it acts once.
//! - **Lane**: jobs of one name that are done in their order: one waits for those before it.
//! - **Ledger**: the entries of what each event of money posts, whose postings add up to zero; debits are positive.
//! - **Lease**: until when a job belongs to the worker that claimed it.
//! - **Live attempt**: a payment that may still take money: CREATED, SENDING, REQUIRES_ACTION or UNKNOWN.
//! - **Minor unit**: the smallest unit of a currency, e.g. the cent.
//! - **Outbox**: the events of a business, each written in the transaction that it tells of.
//! - **Period**: the time that one charge pays for, from its start up to, not including, its end.
//! - **Proration**: crediting the unused and charging the remaining part of a period.
//! - **Quarantine**: where a document is until the scanner and staff have accepted it.
//! - **Reader**: what reads rows: one business's as its tenant, or every business's as the system.
//! - **Refund**: an attempt to pay a part of a payment back, on a credit note.
//! - **Refusal**: what a person can put right: a `userErrors` entry, after which nothing was changed.
//! - **Fault**: what a person cannot put right: logged with its cause, answered as a code.
//! - **Snapshot**: the one state of the database that a whole request reads.
//! - **Scope**: what a key was made for, e.g. READ. (A `TenantScope` is something else: the business a caller acts for.)
//! - **Service key**: a key of one of the platform's own products, for a few fields about the business that a request names.
//! - **Standing**: a subscription with its plan and running period, as an operation holds it.
//! - **Test clock**: a clock of a sandbox that stands still until it is advanced, and that a business's billing goes by.
//! - **Tenant**: a business, and the capability to touch its rows.
//! - **Trusted document**: one that the operator gave the server beforehand, which clients name by its id.
//! - **Usage period**: the month in which what is metered is counted before it starts again at zero.
#![forbid(unsafe_code)]

pub mod adapters;
pub mod app;
pub mod billing;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod money;
pub mod security;
pub mod services;
pub mod store;
pub mod telemetry;
pub mod worker;
