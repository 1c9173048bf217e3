use super::file::*;
use crate::billing::cancel::UnusedTime;
use crate::billing::change::Proration;
use crate::billing::dunning::DunningSettings;
use crate::billing::period::{AnchorMode, DayOfMonth, Granularity, Interval};
use crate::billing::tax::TaxBehavior;
use crate::money::{Currency, Money, Rate};
use crate::store::catalog::{Overage, OverageModel, Tier};
use crate::store::types::FeatureKind;

pub(super) const DEMO: &str = include_str!("../../../catalogue/demo.toml");

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

fn money(text: &str, code: &str) -> Money {
    Money::parse(text, currency(code)).unwrap()
}

/// What a file without a mistake begins with: 9 lines.
pub(super) const HEAD: &str = "\
[platform]
currency = 'USD'
[seller]
name = 'S'
tax_id = 'P1'
city = 'Nairobi'
country = 'KE'
time_zone = 'Africa/Nairobi'
# line 9
";
/// A product from line 10 on: 4 lines.
const PRODUCT: &str = "[[products]]\ncode = 'erp'\nname = 'ERP'\ndescription = 'D'\n";
/// A plan from line 14 on: 6 lines, so that features begin in line 20.
const PLAN: &str = "\
[[plans]]
product = 'erp'
code = 'starter'
name = 'N'
description = 'D'
prices = [{ interval = 'monthly', currency = 'KES', amount = '10.00', tax = 'exclusive' }]
";

pub(super) fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(tail: &str, expected: &[&str]) {
    assert_eq!(problems(&format!("{HEAD}{tail}")), expected, "{tail}");
}

#[test]
fn the_demo_sells_three_products_in_three_plans_each_monthly_and_yearly_in_two_currencies() {
    let file = parse(DEMO).unwrap_or_else(|problems| panic!("{problems:?}"));
    let codes: Vec<_> = file.products.iter().map(|product| product.code.as_str()).collect();
    assert_eq!(codes, ["erp", "sacco", "payroll"]);
    for product in &file.products {
        let plans: Vec<_> = file.plans.iter().filter(|plan| plan.product == product.code).collect();
        assert_eq!(plans.len(), 3, "{}", product.code);
        assert!(!plans[0].requires_verification && plans[2].requires_verification);
        assert_eq!((product.anchor, product.granularity, product.downgrade_now), (AnchorMode::Anniversary, Granularity::Day, true));
        assert_eq!((product.prorations.len(), product.cancel_unused_time.len()), (4, 3));
        for code in ["KES", "USD"] {
            for interval in [Interval::Monthly, Interval::Yearly] {
                let of =
                    |plan: &Plan| plan.prices.iter().find(|p| p.interval == interval && p.amount.currency() == currency(code)).cloned();
                let prices: Vec<Price> = plans.iter().map(|plan| of(plan).unwrap()).collect();
                assert!(prices.is_sorted_by(|a, b| a.amount.minor() < b.amount.minor()), "cheapest first");
                assert!(prices.iter().all(|price| price.tax == TaxBehavior::Exclusive));
            }
        }
        for kind in [FeatureKind::Switch, FeatureKind::Limit, FeatureKind::Metered] {
            assert!(plans.iter().all(|plan| plan.features.iter().any(|feature| feature.kind == kind)), "{}", product.code);
        }
    }
    assert!(file.plans.iter().any(|plan| plan.trial_days > 0) && file.plans.iter().any(|plan| plan.trial_days == 0));
    let taxes: Vec<_> = file.tax_rates.iter().map(|tax| (tax.country, tax.rate.to_string())).collect();
    assert_eq!(taxes, [("KE", "0.16"), ("UG", "0.18"), ("TZ", "0.18"), ("NG", "0.075")].map(|(c, r)| (c, r.to_owned())));
    assert_eq!((file.platform_currency, file.seller.time_zone.as_str()), (currency("USD"), "Africa/Nairobi"));
}

#[test]
fn what_stands_in_the_file_is_what_is_read() {
    let features = "\
[[plans.features]]
key = 'calls'
name = 'Calls'
kind = 'metered'
unit = 'call'
included = 1_000
overage = [{ currency = 'KES', model = 'graduated', tiers = [{ up_to = '10.5', unit_price = '0.035' }, { unit_price = '0.01', flat_amount = '5.00' }] }]
";
    let plan = PLAN.replace("[{ int", "[{ amount = '0.00', interval = 'yearly', currency = 'UGX', tax = 'inclusive' }, { int");
    let features = features
        .replace("overage = [", "overage = [{ currency = 'UGX', model = 'package', package_size = 100, tiers = [{ unit_price = '1' }] }, ");
    let product = format!("{PRODUCT}anchor = 'fixed_day'\nfixed_day = 31\ngranularity = 'second'\nprorations = ['none', 'reset_cycle']\n");
    let file = parse(&format!("{HEAD}{product}{plan}trial_days = 7\nmax_users = 3\nstorage_limit = 5368709120\n{features}")).unwrap();
    let product = &file.products[0];
    assert_eq!((product.anchor, product.granularity), (AnchorMode::FixedDay(DayOfMonth::new(31).unwrap()), Granularity::Second));
    assert_eq!(product.prorations, [Proration::None, Proration::ResetCycle]);
    assert_eq!((product.downgrade_now, product.cancel_unused_time.as_slice()), (false, [UnusedTime::None].as_slice()));
    let plan = &file.plans[0];
    assert_eq!((plan.trial_days, plan.max_users, plan.storage_limit_bytes), (7, Some(3), Some(5_368_709_120)));
    let free = Price { interval: Interval::Yearly, amount: money("0", "UGX"), tax: TaxBehavior::Inclusive };
    let priced = Price { interval: Interval::Monthly, amount: money("10.00", "KES"), tax: TaxBehavior::Exclusive };
    assert_eq!(plan.prices, [free, priced]);
    let rate = |text: &str| text.parse::<Rate>().unwrap();
    let tier = |up_to: Option<&str>, price: &str, flat: Money| Tier {
        up_to: up_to.map(|n| n.parse().unwrap()),
        unit_price: rate(price),
        flat_amount: flat,
    };
    let package = Overage {
        currency: currency("UGX"),
        model: OverageModel::Package { size: 100.into() },
        tiers: vec![tier(None, "1", money("0", "UGX"))],
    };
    let graduated = Overage {
        currency: currency("KES"),
        model: OverageModel::Graduated,
        tiers: vec![tier(Some("10.5"), "0.035", money("0.00", "KES")), tier(None, "0.01", money("5.00", "KES"))],
    };
    let feature = Feature {
        key: "calls".to_owned(),
        name: "Calls".to_owned(),
        kind: FeatureKind::Metered,
        enabled: true,
        included: Some(1_000.into()),
        unit: Some("call".to_owned()),
        overage: vec![package, graduated],
        thresholds: vec![rate("0.8"), rate("1")],
    };
    assert_eq!(plan.features, [feature]);
}

#[test]
fn a_product_has_the_careful_defaults() {
    let file = parse(&format!("{HEAD}{PRODUCT}")).unwrap();
    let product = &file.products[0];
    assert_eq!((product.anchor, product.granularity, product.downgrade_now), (AnchorMode::Anniversary, Granularity::Day, false));
    assert_eq!(
        (product.prorations.as_slice(), product.cancel_unused_time.as_slice()),
        ([Proration::ProrateNow].as_slice(), [UnusedTime::None].as_slice())
    );
    assert_eq!(product.dunning, DunningSettings { retry_after_days: vec![1, 3, 5, 7], cancel_after_days: 30 });
    let grace = |hours: u16| parse(&format!("{HEAD}{PRODUCT}grace_hours = {hours}\n")).unwrap().products[0].grace_hours;
    assert_eq!((product.grace_hours, grace(0), grace(72)), (0, 0, 72));
    assert_eq!((file.seller.invoice_prefix.as_str(), file.seller.credit_note_prefix.as_str()), ("INV", "CN"));
}

#[test]
fn a_product_says_how_long_payment_is_waited_for() {
    let read = |dunning: &str| parse(&format!("{HEAD}{PRODUCT}[products.dunning]\n{dunning}")).unwrap().products.remove(0).dunning;
    assert_eq!(
        read("retry_after_days = [2, 365]\ncancel_after_days = 5\n"),
        DunningSettings { retry_after_days: vec![2, 365], cancel_after_days: 5 }
    );
    assert_eq!(read("cancel_after_days = 365\n"), DunningSettings { cancel_after_days: 365, ..DunningSettings::default() });
    assert_eq!(read(""), DunningSettings::default());
    let list = (1..=21).map(|day| day.to_string()).collect::<Vec<_>>().join(", ");
    for (line, sentence) in [
        ("retry_after_days = 3", "`retry_after_days` must be a list in brackets."),
        ("retry_after_days = []", "`retry_after_days` must list 1 to 20 numbers of days."),
        (&format!("retry_after_days = [{list}]"), "`retry_after_days` must list 1 to 20 numbers of days."),
        (
            "retry_after_days = [0, 3]",
            "`retry_after_days` holds something else: each must be a whole number from 1 to 365, without quotes.",
        ),
        (
            "retry_after_days = [1, '3']",
            "`retry_after_days` holds something else: each must be a whole number from 1 to 365, without quotes.",
        ),
        ("retry_after_days = [3, 3]", "`retry_after_days` must list each day after the one before it."),
        ("retry_after_days = [5, 3]", "`retry_after_days` must list each day after the one before it."),
        ("cancel_after_days = 0", "`cancel_after_days` must be a whole number from 1 to 365, without quotes."),
        ("cancel_after_days = 366", "`cancel_after_days` must be a whole number from 1 to 365, without quotes."),
        ("suspend_after_days = 3", "`suspend_after_days` is not known here; known are retry_after_days, cancel_after_days."),
    ] {
        refused(&format!("{PRODUCT}[products.dunning]\n{line}\n"), &[&format!("line 15: {sentence}")]);
    }
    refused(&format!("{PRODUCT}dunning = 3\n"), &["line 14: `dunning` must be a table."]);
}

#[test]
fn a_seller_says_what_the_numbers_of_documents_begin_with() {
    let with = |lines: &str| HEAD.replace("# line 9\n", lines);
    let seller = parse(&with("invoice_prefix = 'EB-KE'\ncredit_note_prefix = 'A123456789'\n")).unwrap().seller;
    assert_eq!((seller.invoice_prefix.as_str(), seller.credit_note_prefix.as_str()), ("EB-KE", "A123456789"));
    for prefix in ["''", "'inv'", "'INV '", "'A1234567890'", "'INV/'", "'É'"] {
        let found = problems(&with(&format!("invoice_prefix = {prefix}\n")));
        assert_eq!(found, ["line 9: `invoice_prefix` must be 1 to 10 of A-Z, 0-9 and \"-\"."], "{prefix}");
    }
    assert_eq!(problems(&with("invoice_prefix = 3\n")), ["line 9: `invoice_prefix` must be a text in quotes."]);
    let alike = "makes invoices and credit notes begin alike; give them different prefixes.";
    assert_eq!(problems(&with("credit_note_prefix = 'INV'\n")), [format!("line 9: `credit_note_prefix` {alike}")]);
    assert_eq!(problems(&with("invoice_prefix = 'CN'\n")), [format!("line 9: `invoice_prefix` {alike}")]);
    let both = problems(&with("invoice_prefix = 'A'\ncredit_note_prefix = 'A'\n"));
    assert_eq!(both, [format!("line 10: `credit_note_prefix` {alike}")]);
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_their_lines() {
    let text = "[platform]\ncurrency = 'KSH'\n[seller]\nname = ' S'\ncity = ''\ncountry = 'UK'\ntime_zone = 'africa/nairobi'\nphone = '1'\n[sellers]\n";
    let expected = [
        "line 2: `currency` \"KSH\" is no currency of ISO 4217.",
        "line 3: `tax_id` is missing.",
        "line 4: `name` must be one line without spaces around it.",
        "line 5: `city` must not be empty.",
        "line 6: `country` \"UK\" is no country of ISO 3166-1 alpha-2.",
        "line 7: `time_zone` \"africa/nairobi\" is no time zone of the IANA database.",
        "line 8: `phone` is not known here; known are name, tax_id, address_line, city, postal_code, country, time_zone, invoice_prefix, credit_note_prefix.",
        "line 9: `sellers` is not known here; known are platform, seller, tax_rates, products, plans, verification.",
    ];
    assert_eq!(problems(text), expected);
    assert_eq!(problems(""), ["line 1: `platform` is missing.", "line 1: `seller` is missing."]);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let found = problems(&format!("{HEAD}[[products]]\ncode = erp\n"));
    assert!(found.len() == 1 && found[0].starts_with("line 11: This is not TOML: "), "{found:?}");
    let twice = problems(&format!("{HEAD}{PRODUCT}code = 'erp'\n"));
    assert!(twice.len() == 1 && twice[0].starts_with("line 14: This is not TOML: duplicate key"), "{twice:?}");
    let deep = problems(&format!("a = {}", "[".repeat(100_000)));
    assert!(deep[0].starts_with("line 1: This is not TOML: "), "{}", deep[0]);
    let large = format!("{HEAD}#{}", "x".repeat(MAX_FILE_BYTES));
    assert_eq!(problems(&large), ["line 1: The file is larger than 1048576 bytes."]);
}

#[test]
fn broken_products_and_tax_rates_are_told() {
    let tax = "[[tax_rates]]\ncountry = 'KE'\nname = 'VAT'\nrate = '0.16'\nfrom = 2021-01-01\n";
    refused(&format!("{tax}{tax}"), &["line 16: `country` has a rate from 2021-01-01 already, in line 11."]);
    refused(&tax.replace("'0.16'", "0.16"), &["line 13: `rate` must be a part of one in quotes: \"0.16\" for 16 %."]);
    refused(&tax.replace("0.16", "16"), &["line 13: `rate` must be a part of one in quotes: \"0.16\" for 16 %."]);
    refused(&tax.replace("2021-01-01", "2021-01-01T00:00:00Z"), &["line 14: `from` must be a date without quotes: 2020-01-31."]);
    refused(&format!("{PRODUCT}{PRODUCT}"), &["line 15: `code` \"erp\" is a product already, in line 11."]);
    let code = "`code` must be 1 to 60 of a-z, 0-9, \"_\", \"-\" and \".\", and begin with a letter.";
    refused(&PRODUCT.replace("'erp'", "'ERP'"), &[&format!("line 11: {code}")]);
    for (line, sentence) in [
        ("anchor = 'weekly'", "`anchor` must be one of \"anniversary\", \"calendar\", \"fixed_day\"."),
        ("anchor = 'fixed_day'", "`anchor` is \"fixed_day\", so `fixed_day` must say which."),
        ("fixed_day = 3", "`fixed_day` goes with `anchor` = \"fixed_day\" alone."),
        ("granularity = 1", "`granularity` must be one of \"day\", \"second\"."),
        ("prorations = []", "`prorations` must not be empty."),
        ("prorations = ['none', 'none']", "`prorations` names something twice."),
        ("downgrade_now = 'yes'", "`downgrade_now` must be true or false, without quotes."),
        ("grace_hours = 73", "`grace_hours` must be a whole number from 0 to 72, without quotes."),
        (
            "cancel_unused_time = ['cash']",
            "`cancel_unused_time` holds something else: each must be one of \"none\", \"credit\", \"refund\".",
        ),
    ] {
        refused(&format!("{PRODUCT}{line}\n"), &[&format!("line 14: {sentence}")]);
    }
    refused(
        &format!("{PRODUCT}anchor = 'fixed_day'\nfixed_day = 32\n"),
        &["line 15: `fixed_day` must be a whole number from 1 to 31, without quotes."],
    );
}

#[test]
fn broken_plans_and_prices_are_told() {
    let plan = |from: &str, to: &str| format!("{PRODUCT}{}", PLAN.replace(from, to));
    refused(&plan("'erp'", "'crm'"), &["line 15: `product` \"crm\" is no product of this file."]);
    refused(&format!("{PRODUCT}{PLAN}{PLAN}"), &["line 22: `code` \"starter\" is a plan of \"erp\" already, in line 16."]);
    for (from, to, sentence) in [
        ("'KES'", "'KSH'", "`currency` \"KSH\" is no currency of ISO 4217."),
        (
            "'KES', amount = '10.00'",
            "'UGX', amount = '10.50'",
            "`amount` must be an amount of UGX with at most 0 digits after the point: \"1500\".",
        ),
        ("'10.00'", "'10.001'", "`amount` must be an amount of KES with at most 2 digits after the point: \"1500.00\"."),
        ("'10.00'", "10.00", "`amount` must be in quotes: \"1500.00\"."),
        ("'10.00'", "'-1.00'", "`amount` must not be negative."),
        ("'10.00'", "'99999999999999.00'", "`amount` is too large."),
        ("'monthly'", "'weekly'", "`interval` must be one of \"monthly\", \"yearly\"."),
        ("'exclusive'", "'none'", "`tax` must be one of \"inclusive\", \"exclusive\"."),
        (", tax = 'exclusive'", "", "`tax` is missing."),
        ("tax =", "vat = 16, tax =", "`vat` is not known here; known are interval, currency, amount, tax."),
        (
            "}]",
            "}, { interval = 'monthly', currency = 'KES', amount = '9.00', tax = 'exclusive' }]",
            "The plan has a price for this interval in KES already.",
        ),
        ("[{", "[1, {", "`prices` must be a table."),
    ] {
        refused(&plan(from, to), &[&format!("line 19: {sentence}")]);
    }
    for (line, sentence) in [
        ("trial_days = 366", "`trial_days` must be a whole number from 0 to 365, without quotes."),
        ("trial_days = -1", "`trial_days` must be a whole number from 0 to 365, without quotes."),
        ("max_users = 0", "`max_users` must be a whole number from 1 to 1000000, without quotes."),
        ("storage_limit = '5 GB'", "`storage_limit` must be a whole number from 1 to 9223372036854775807, without quotes."),
        ("requires_verification = 1", "`requires_verification` must be true or false, without quotes."),
        ("features = 'all'", "`features` must be a list of tables."),
    ] {
        refused(&format!("{PRODUCT}{PLAN}{line}\n"), &[&format!("line 20: {sentence}")]);
    }
    let unpriced = PLAN.split_inclusive('\n').filter(|line| !line.starts_with("prices")).collect::<String>();
    refused(&format!("{PRODUCT}{unpriced}"), &["line 14: `prices` is missing."]);
    refused(&format!("{PRODUCT}{unpriced}prices = []\n"), &["line 19: `prices` must not be empty."]);
}

#[test]
fn broken_features_are_told() {
    let feature = "[[plans.features]]\nkey = 'calls'\nname = 'Calls'\n";
    for (line, sentence) in [
        ("kind = 'counter'", "`kind` must be one of \"switch\", \"limit\", \"metered\"."),
        ("kind = 'switch'\nincluded = 5", "`included` is nothing that a switch has: it is on or off."),
        ("kind = 'limit'\nenabled = false", "`enabled` is for switches alone; leave the feature out instead."),
        (
            "kind = 'metered'\nincluded = 1.5",
            "`included` must be a number from 0 to 1000000000000000: whole, or in quotes with at most 6 digits after the point.",
        ),
    ] {
        let number = if line.contains('\n') { 24 } else { 23 };
        refused(&format!("{PRODUCT}{PLAN}{feature}{line}\n"), &[&format!("line {number}: {sentence}")]);
    }
    let limit = format!("{feature}kind = 'limit'\n");
    refused(&format!("{PRODUCT}{PLAN}{limit}{limit}"), &["line 25: `key` \"calls\" is a feature of this plan already, in line 21."]);
    let other = PLAN.replace("'starter'", "'growth'");
    refused(
        &format!("{PRODUCT}{PLAN}{limit}{other}{feature}kind = 'metered'\n"),
        &["line 31: `key` \"calls\" has another kind or unit than in line 21, where \"erp\" has it first."],
    );
}

#[test]
fn broken_overage_is_told() {
    let feature = |kind: &str, overage: &str| {
        format!("{PRODUCT}{PLAN}[[plans.features]]\nkey = 'calls'\nname = 'Calls'\nkind = '{kind}'\nincluded = 5\noverage = [{overage}]\n")
    };
    let good = "{ currency = 'KES', model = 'per_unit', tiers = [{ unit_price = '1' }] }";
    assert_eq!(parse(&format!("{HEAD}{}", feature("metered", good))).map(|file| file.plans.len()), Ok(1));
    refused(&feature("limit", good), &["line 25: `overage` is for metered features alone: a limit is never billed."]);
    refused(
        &feature("metered", good).replace("included = 5\n", "\n"),
        &["line 25: `overage` needs `included`: without it nothing is ever past it."],
    );
    refused(
        &feature("metered", &good.replace("KES", "USD")),
        &[
            "line 25: `currency` is USD, in which the plan is not sold.",
            "line 25: `overage` has no price in KES, in which the plan is sold.",
        ],
    );
    refused(&feature("metered", &format!("{good}, {good}")), &["line 25: `currency` has a price in KES already."]);
    for (model, tiers, sentence) in [
        ("per_unit", "{ up_to = 5, unit_price = '2' }, { unit_price = '1' }", "`tiers` must have exactly one tier in this model."),
        ("package", "{ unit_price = '1' }", "`package_size` is missing: how many units are in one."),
        ("graduated", "", "`tiers` must not be empty."),
        ("graduated", "{ unit_price = '2' }, { unit_price = '1' }", "`up_to` is missing: only the last tier has no end."),
        ("volume", "{ up_to = 5, unit_price = '2' }", "`up_to` must be left out in the last tier, which has no end."),
        (
            "volume",
            "{ up_to = 5, unit_price = '3' }, { up_to = 5, unit_price = '2' }, { unit_price = '1' }",
            "`up_to` must be more than in the tier before.",
        ),
        ("volume", "{ up_to = 0, unit_price = '2' }, { unit_price = '1' }", "`up_to` must be more than zero."),
        (
            "volume",
            "{ unit_price = '-1' }",
            "`unit_price` must be a number in quotes from \"0\" to \"1000000000\" with at most 12 digits after the point.",
        ),
        (
            "volume",
            "{ unit_price = '1', flat_amount = '0.001' }",
            "`flat_amount` must be an amount of KES with at most 2 digits after the point: \"1500.00\".",
        ),
    ] {
        let overage = format!("{{ currency = 'KES', model = '{model}', tiers = [{tiers}] }}");
        refused(&feature("metered", &overage), &[&format!("line 25: {sentence}")]);
    }
    let sized = "{ currency = 'KES', model = 'volume', package_size = 10, tiers = [{ unit_price = '1' }] }";
    refused(&feature("metered", sized), &["line 25: `package_size` goes with `model` = \"package\" alone."]);
}

#[test]
fn thresholds_are_read_and_have_a_default() {
    let read = |kind: &str, more: &str| {
        let feature = format!("[[plans.features]]\nkey = 'calls'\nname = 'Calls'\nkind = '{kind}'\n{more}\n");
        let file = parse(&format!("{HEAD}{PRODUCT}{PLAN}{feature}")).unwrap_or_else(|problems| panic!("{problems:?}"));
        file.plans[0].features[0].thresholds.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for kind in ["metered", "limit"] {
        assert_eq!(read(kind, "included = 10"), ["0.8", "1"]);
        assert_eq!(read(kind, "included = 10\nthresholds = ['0.5', '0.90', 1, '1.25']"), ["0.5", "0.9", "1", "1.25"]);
        assert_eq!(read(kind, "included = 10\nthresholds = []"), [""; 0], "nobody is told");
        assert_eq!(read(kind, ""), [""; 0], "without a limit there is none");
    }
    assert_eq!(read("switch", ""), [""; 0]);
}

#[test]
fn broken_thresholds_are_told() {
    let feature =
        |kind: &str, more: &str| format!("{PRODUCT}{PLAN}[[plans.features]]\nkey = 'calls'\nname = 'Calls'\nkind = '{kind}'\n{more}\n");
    let part = "`thresholds` holds something else: each must be a part, \"0.8\" for 80 %: more than 0, at most 10, with at most 4 digits after the point.";
    for (thresholds, sentence) in [
        ("'0.8'", "`thresholds` must be a list in brackets."),
        ("['1', '0.8']", "`thresholds` must list each part after those that are less."),
        ("['0.8', '0.80']", "`thresholds` must list each part after those that are less."),
        ("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]", "`thresholds` must list at most 10 parts."),
        ("[0]", part),
        ("['-0.8']", part),
        ("['0.80001']", part),
        ("['10.1']", part),
        ("[0.8]", part),
        ("['80 %']", part),
    ] {
        let text = feature("metered", &format!("included = 5\nthresholds = {thresholds}"));
        refused(&text, &[&format!("line 25: {sentence}")]);
    }
    for kind in ["metered", "limit"] {
        refused(&feature(kind, "thresholds = [1]"), &["line 24: `thresholds` needs `included`: they are parts of it."]);
    }
    refused(&feature("switch", "thresholds = [1]"), &["line 24: `thresholds` is nothing that a switch has: it is on or off."]);
}
