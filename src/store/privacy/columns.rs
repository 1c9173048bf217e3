//! Every column of every table, and what it is to the person or the business that it tells of. A test compares this list with the tables of
//! both databases, so that no column is added without somebody having said what it holds.

use super::Column::{self, Bytes, Day, Flag, Id, Number, Personal, Plain, Sealed, Secret, Tax, TaxSealed, Time};
use super::Of::{Business, Nobody, People, Sessions};
use super::Opens::{InBusiness, InRow};
use super::To::{Empty, Erased, Null, Own};
use super::{Fate, Table};
use Fate::{Kept, Removed};

/// Declares tables: name, whose rows they are, what an erasure makes of them, and the columns.
macro_rules! tables {
    ($($table:ident of $of:expr, $fate:ident { $($column:ident $is:expr),* $(,)? })*) => {
        /// Every table; one that refers to another comes before it.
        pub const TABLES: &[Table] = &[$(Table {
            name: stringify!($table),
            of: $of,
            fate: $fate,
            columns: &[$((stringify!($column), { const IS: Column = $is; IS })),*],
        }),*];
    };
}

tables! {
    // What people are told, and what they say.
    external_sessions of Sessions("session_id"), Removed { hash Secret, session_id Id, created_at Time }
    external_identities of People("user_id"), Removed { issuer Plain, subject Personal(Empty), user_id Id, created_at Time }
    refresh_tokens of Sessions("session_id"), Removed { hash Secret, session_id Id, created_at Time, expires_at Time, spent_at Time }
    sessions of Business, Removed {
        id Id, user_id Id, business_id Id, user_agent Personal(Null), created_at Time, last_used_at Time, expires_at Time, revoked_at Time,
    }
    recovery_codes of People("holder_id"), Removed { hash Secret, holder_id Id, created_at Time, spent_at Time }
    second_factors of People("holder_id"), Removed {
        holder_id Id, user_id Id, staff_id Id, wrapped_key Secret, secret_sealed Secret, last_step Number, created_at Time, confirmed_at Time,
    }
    account_tokens of People("user_id"), Removed {
        hash Secret, user_id Id, purpose Plain, email_key Personal(Empty), created_at Time, expires_at Time, spent_at Time,
    }
    email_changes of People("user_id"), Removed {
        user_id Id, email Personal(Empty), email_key Personal(Empty), old_email Personal(Empty), asked_at Time, confirmed_at Time,
    }
    invitation_tokens of Business, Removed { hash Secret, business_id Id, invitation_id Id, created_at Time }
    notification_preferences of Business, Removed {
        business_id Id, id Id, user_id Id, kind Plain, channel Plain, enabled Flag, updated_at Time,
    }
    notifications of Business, Removed {
        business_id Id, id Id, event_id Id, user_id Id, kind Plain, title Personal(Empty), body Personal(Empty), subject Plain,
        created_at Time, read_at Time,
    }
    mails of Business, Removed {
        business_id Id, id Id, event_id Id, user_id Id, kind Plain, details Personal(Empty), status Plain, error Personal(Null),
        created_at Time, updated_at Time, invitation_id Id,
    }
    invitations of Business, Removed {
        business_id Id, id Id, email Personal(Empty), email_key Personal(Empty), role Plain, invited_by Id, created_at Time, expires_at Time,
        accepted_at Time, revoked_at Time,
    }
    ticket_messages of Business, Removed {
        business_id Id, id Id, ticket_id Id, author Personal(Empty), from_staff Flag, body Personal(Empty), created_at Time,
    }
    support_tickets of Business, Removed {
        business_id Id, id Id, number Number, subject Personal(Empty), status Plain, priority Plain, opened_by Id, messages Number,
        created_at Time, updated_at Time,
    }
    webhook_deliveries of Business, Removed {
        business_id Id, id Id, endpoint_id Id, event_id Id, event Plain, payload Personal(Empty), status Plain, position Number,
        attempts Number, tries Number, first_tried_at Time, response_status Number, error Personal(Null), next_attempt_at Time,
        created_at Time, updated_at Time,
    }
    webhook_endpoints of Business, Removed {
        business_id Id, id Id, url Personal(Empty), events Plain, enabled Flag, disabled_reason Plain, secret_sealed Secret,
        previous_secret_sealed Secret, previous_until Time, last_position Number, sending Flag, sender Number, created_at Time,
        updated_at Time,
    }
    events of Business, Removed {
        business_id Id, id Id, aggregate Plain, sequence Number, name Plain, version Number, payload Personal(Empty), created_at Time,
    }
    idempotency_keys of Business, Removed {
        business_id Id, id Id, actor Id, idempotency_key Personal(Empty), operation Plain, input_hash Secret, outcome Plain, created_at Time,
    }
    api_key_hashes of Business, Removed { hash Secret, business_id Id, key_id Id }
    api_keys of Business, Removed {
        business_id Id, id Id, name Personal(Empty), prefix Plain, scopes Plain, created_at Time, expires_at Time, last_used_at Time,
        revoked_at Time,
    }
    verification_documents of Business, Removed {
        business_id Id, id Id, kind Plain, file_name Personal(Empty), content_type Plain, byte_size Number, sha256 Personal(Empty),
        status Plain, scan Plain, reason Personal(Null), uploaded_at Time,
    }
    verifications of Business, Removed {
        business_id Id, id Id, registration_number Personal(Empty), registration_number_sealed Sealed(InRow), submitted_at Time, reviewed_at Time, reason Personal(Null),
        missing Plain, expires_at Time, approvals Number,
    }
    data_exports of Business, Removed {
        business_id Id, id Id, requested_by Id, status Plain, created_at Time, expires_at Time, byte_size Number,
    }
    jobs of Business, Removed {
        business_id Id, id Id, kind Plain, job_key Plain, due_at Time, status Plain, leased_until Time, fence Number, attempts Number,
        last_error Personal(Null), created_at Time, updated_at Time, lane Plain, lane_position Number, test_clock_id Id,
    }
    usage_event_ids of Business, Removed { business_id Id, event_id Personal(Empty), recorded_at Time }
    usage_events of Business, Removed {
        business_id Id, id Id, recorded_at Time, subscription_id Id, feature_key Plain, event_id Personal(Empty), action Plain,
        quantity Plain, occurred_at Time, usage_period_start Time, properties Personal(Null),
    }
    usage_counters of Business, Removed {
        business_id Id, id Id, subscription_id Id, feature_key Plain, period_start Time, period_end Time, used Plain, plan_id Id,
        plan_version Number, unbilled Flag, billed_used Plain, billed_at Time, updated_at Time, told Plain, begun_at Time,
    }
    usage_standings of Business, Removed {
        business_id Id, id Id, product_id Id, feature_key Plain, quantity Plain, set_at Time, last_at Time, updated_at Time, told Plain,
        told_in Time,
    }
    usage_buckets of Business, Removed { business_id Id, id Id, subscription_id Id, feature_key Plain, starts_at Time, quantity Plain }
    members of Business, Removed { business_id Id, id Id, user_id Id, role Plain, joined_at Time }
    pending_lines of Business, Removed {
        business_id Id, id Id, subscription_id Id, period_id Id, kind Plain, description Plain, period_start Time, period_end Time,
        quantity Plain, unit_price Plain, amount_minor Number, tax_behavior Plain, tax_rate Plain, tax_name Plain, invoice_id Id,
        created_at Time, discount_minor Number,
    }
    gateway_hints of Business, Removed {
        business_id Id, id Id, payment_id Id, refund_id Id, heard_of Plain, digest Secret, reference Personal(Empty), succeeded Flag, code Plain,
        receipt Personal(Null), amount_minor Number, receiver Personal(Null), received_at Time,
    }
    // What stays, with what is personal in it erased.
    audit_events of Business, Kept {
        business_id Id, id Id, sequence Number, action Plain, actor Plain, subject Plain, details Personal(Empty), at Time,
        previous_hash Bytes, hash Bytes, salt Secret, details_digest Bytes,
    }
    audit_heads of Business, Kept { business_id Id, sequence Number, hash Bytes }
    suspensions of Business, Kept {
        business_id Id, id Id, suspended_by Id, reason Personal(Empty), suspended_at Time, restored_by Id, restored_at Time,
    }
    users of People("id"), Kept {
        id Id, email Personal(Empty), email_key Personal(Own), full_name Personal(Erased), password_hash Secret, locale Plain,
        email_verified_at Time, created_at Time, updated_at Time, two_factor_at Time,
    }
    disputes of Business, Kept {
        business_id Id, id Id, payment_id Id, ordinal Number, gateway Plain, gateway_reference Tax, currency Plain, amount_minor Number,
        reason Plain, status Plain, funds Plain, respond_by Time, refund_id Id, loss_minor Number, opened_at Time, closed_at Time,
        created_at Time, updated_at Time,
    }
    refunds of Business, Kept {
        business_id Id, id Id, payment_id Id, credit_note_id Id, currency Plain, amount_minor Number, status Plain, gateway Plain,
        gateway_reference Tax, failure_code Plain, failure_message Personal(Null), fence Number, created_at Time, updated_at Time,
        settled_at Time,
    }
    payments of Business, Kept {
        business_id Id, id Id, invoice_id Id, method_id Id, method_kind Plain, method_label Personal(Empty), currency Plain,
        amount_minor Number, refunded_minor Number, status Plain, gateway Plain, gateway_method Secret, gateway_reference Tax, receipt Tax,
        failure_code Plain, failure_message Personal(Null), hard_decline Flag, action_kind Plain, action_url Personal(Null),
        action_client_secret Secret, action_client_secret_sealed Secret, action_expires_at Time, attempt Number, fence Number, created_at Time, updated_at Time,
        settled_at Time, refunding_minor Number, received_on Day,
    }
    payment_methods of Business, Kept {
        business_id Id, id Id, kind Plain, gateway Plain, reference Secret, reference_sealed Sealed(InRow), label Personal(Empty), is_default Flag, expires_on Day,
        removed_at Time, created_at Time,
    }
    credit_entries of Business, Kept {
        business_id Id, id Id, reason Plain, currency Plain, amount_minor Number, balance_after_minor Number, invoice_id Id,
        credit_note_id Id, at Time,
    }
    credit_note_lines of Business, Kept {
        business_id Id, id Id, credit_note_id Id, position Number, description Tax, period_start Time, period_end Time,
        amount_minor Number, invoice_line_id Id,
    }
    credit_notes of Business, Kept {
        business_id Id, id Id, invoice_id Id, number Plain, currency Plain, amount_minor Number, tax_minor Number,
        took_off_due_minor Number, to_credit_minor Number, to_refund_minor Number, reason Plain, memo Tax, issued_at Time,
    }
    invoice_taxes of Business, Kept {
        business_id Id, id Id, invoice_id Id, position Number, name Plain, rate Plain, behavior Plain, taxable_minor Number,
        amount_minor Number,
    }
    invoice_lines of Business, Kept {
        business_id Id, id Id, invoice_id Id, position Number, kind Plain, description Tax, period_start Time, period_end Time,
        quantity Plain, unit_price Plain, amount_minor Number, discount_minor Number, tax_minor Number, tax_rate Plain,
        tax_behavior Plain, period_id Id,
    }
    invoices of Business, Kept {
        business_id Id, id Id, subscription_id Id, number Plain, status Plain, currency Plain, seller Plain, billed_to Tax,
        billed_tax_id_sealed TaxSealed(InBusiness("tax_id_sealed")), subtotal_minor Number, discount_minor Number, tax_minor Number,
        total_minor Number, credit_applied_minor Number, amount_paid_minor Number, amount_credited_minor Number,
        amount_due_minor Number, exclusive_tax_minor Number, attempts Number, next_attempt_at Time, issued_at Time, due_at Time,
        paid_at Time, voided_at Time, created_at Time, draft_until Time, draft_plan_id Id, draft_plan_version Number,
        draft_tax_behavior Plain,
    }
    invoice_register of Business, Kept { series Plain, year Number, number Number, business_id Id, document_id Id }
    postings of Business, Kept { business_id Id, id Id, entry_id Id, position Number, account Plain, amount_minor Number }
    journal_entries of Business, Kept { business_id Id, id Id, kind Plain, subject_id Id, currency Plain, at Time }
    revenue_movements of Business, Kept {
        business_id Id, id Id, subscription_id Id, product_id Id, kind Plain, currency Plain, annual_minor Number, subscriptions Number,
        businesses Number, day Day, at Time,
    }
    periods of Business, Kept {
        business_id Id, id Id, subscription_id Id, number Number, kind Plain, billing_interval Plain, starts_at Time, ends_at Time,
        nominal_start Day, nominal_end Day, opened_on Day, whole_start Time, time_zone Plain, invoice_id Id, created_at Time,
    }
    subscription_changes of Business, Kept {
        business_id Id, id Id, subscription_id Id, version Number, kind Plain, at Time, details Plain,
    }
    subscriptions of Business, Kept {
        business_id Id, id Id, product_id Id, plan_id Id, plan_version Number, billing_interval Plain, currency Plain,
        price_minor Number, tax_behavior Plain, charged_price_minor Number, charged_tax_rate Plain, charged_tax_behavior Plain,
        charged_from Number, status Plain, anchor_mode Plain, anchor_day Number, anchor_date Day, anchor_time Plain,
        granularity Plain, period_number Number, started_at Time, period_start Time, period_end Time, trial_end Time,
        auto_renewal Flag, cancel_at Time, canceled_at Time, cancel_reason Personal(Null), pending_plan_id Id,
        pending_plan_version Number, pending_interval Plain, pending_price_minor Number, pending_tax_behavior Plain,
        pending_effective_at Time, pending_scheduled_at Time, payment_method_id Id, dunning_invoice_id Id, dunning_started_at Time,
        dunning_taken Number, dunning_hard Flag, version Number, created_at Time, updated_at Time, coupon_id Id,
        coupon_remaining_periods Number, charged_discount_percent Plain, charged_discount_minor Number, counted_annual_minor Number,
    }
    clock_attachments of Business, Kept { business_id Id, test_clock_id Id }
    businesses of Business, Kept {
        business_id Id, business_name Personal(Erased), business_email Personal(Empty), industry Personal(Empty), company_size Plain,
        country Plain, postal_code Personal(Empty), address_line Personal(Null), city Personal(Null),
        phone_sealed Sealed(InBusiness("phone_sealed")), tax_id_sealed Sealed(InBusiness("tax_id_sealed")), wrapped_key Secret, previous_wrapped_key Secret, key_made_at Time,
        tax_exempt Flag, time_zone Plain, currency Plain, verification_status Plain, balance_minor Number, suspended_at Time,
        created_at Time, updated_at Time, erased_at Time,
    }
    // What is nobody's among those who buy: the catalogue, the platform's own people, and hashes by which tries are counted for a while.
    account_requests of Nobody, Kept { id Id, email_hash Secret, purpose Plain, at Time }
    gateway_comparisons of Nobody, Kept { gateway Plain, day Day, leased_until Time, compared_at Time }
    gateway_differences of Nobody, Kept {
        id Id, gateway Plain, day Day, subject Plain, kind Plain, reference Plain, concerned_id Id, payment_id Id, refund_id Id, ours Plain,
        theirs Plain, found_at Time, told_at Time, cleared_at Time,
    }
    gateway_events of Nobody, Kept { gateway Plain, event_id Plain, kind Plain, received_at Time }
    sign_in_tries of Nobody, Kept { subject Secret, failures Number, last_at Time }
    known_places of Nobody, Kept { place Secret, last_at Time }
    coupon_plans of Nobody, Kept { coupon_id Id, plan_id Id }
    coupons of Nobody, Kept {
        id Id, code Plain, code_key Plain, percent_off Plain, amount_off_minor Number, currency Plain, periods Number,
        max_redemptions Number, redemptions Number, expires_at Time, created_at Time,
    }
    invoice_counters of Nobody, Kept { series Plain, year Number, last_number Number }
    plan_features of Nobody, Kept {
        plan_id Id, version Number, feature_key Plain, position Number, name Plain, kind Plain, enabled Flag, included Plain, unit Plain,
        overage Plain, thresholds Plain,
    }
    plan_prices of Nobody, Kept {
        plan_id Id, version Number, billing_interval Plain, currency Plain, amount_minor Number, tax_behavior Plain,
    }
    plan_versions of Nobody, Kept {
        plan_id Id, version Number, name Plain, description Plain, trial_days Number, max_users Number, storage_limit Number,
        requires_verification Flag, created_at Time,
    }
    plans of Nobody, Kept { id Id, product_id Id, code Plain, current_version Number, archived_at Time, created_at Time }
    platform_audit_events of Nobody, Kept {
        id Id, sequence Number, action Plain, actor Plain, subject Plain, details Plain, at Time, previous_hash Bytes, hash Bytes,
    }
    platform_audit_heads of Nobody, Kept { id Number, sequence Number, hash Bytes }
    products of Nobody, Kept {
        id Id, code Plain, name Plain, description Plain, position Number, anchor_mode Plain, anchor_day Number, granularity Plain,
        prorations Plain, downgrade_now Flag, cancel_unused_time Plain, created_at Time, retry_after_days Plain,
        cancel_after_days Number, grace_hours Number,
    }
    sellers of Nobody, Kept {
        id Number, name Plain, tax_id Plain, address_line Plain, city Plain, postal_code Plain, country Plain, time_zone Plain,
        platform_currency Plain, invoice_prefix Plain, credit_note_prefix Plain,
    }
    service_keys of Nobody, Kept {
        id Id, product_id Id, name Plain, prefix Plain, hash Secret, created_by Plain, created_at Time, expires_at Time,
        last_used_at Time, revoked_by Plain, revoked_at Time,
    }
    staff_mails of Nobody, Kept {
        id Id, staff_id Id, kind Plain, status Plain, attempts Number, due_at Time, error Plain, created_at Time, updated_at Time,
    }
    staff_refresh_tokens of Nobody, Kept { hash Secret, session_id Id, created_at Time, expires_at Time, spent_at Time }
    staff_sessions of Nobody, Kept {
        id Id, staff_id Id, user_agent Plain, created_at Time, last_used_at Time, expires_at Time, revoked_at Time,
    }
    staff_users of Nobody, Kept {
        id Id, email Plain, email_key Plain, full_name Plain, password_hash Secret, role Plain, created_at Time, updated_at Time,
        removed_at Time, two_factor_at Time,
    }
    tax_rates of Nobody, Kept { country Plain, valid_from Day, name Plain, rate Plain }
    test_clocks of Nobody, Kept {
        id Id, name Plain, now Time, status Plain, goal Time, failure Plain, advanced_at Time, created_at Time,
    }
    usage_retention of Nobody, Kept { id Number, kept_since Time }
    verification_rules of Nobody, Kept { country Plain, documents Plain, approval_days Number }
}
