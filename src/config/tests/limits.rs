//! Limits of requests, and who is shown the schema.

use super::*;

#[test]
fn the_schema_is_for_everybody_in_a_sandbox_and_for_the_signed_in_in_production_unless_it_is_set() {
    let resolved = |given: Given| Settings::resolve(given).unwrap().introspection;
    assert_eq!(resolved(Given::default()), Introspection::Everybody);
    assert_eq!(resolved(production()), Introspection::SignedIn);
    assert_eq!(resolved(from_file("introspection = 'nobody'")), Introspection::Nobody);
    assert_eq!(resolved(flags(&["--introspection", "everybody"]).given.or(production())), Introspection::Everybody);
    assert_eq!(resolved(flags(&["--introspection", "signed-in"]).given), Introspection::SignedIn);
}

#[test]
fn statuses_are_settled_unless_those_of_the_draft_are_chosen() {
    let resolved = |given: Given| Settings::resolve(given).unwrap().statuses;
    assert_eq!(resolved(production()), Statuses::Settled);
    assert_eq!(resolved(from_file("http_statuses = 'draft-2026'")), Statuses::Draft2026);
    assert_eq!(resolved(flags(&["--http-statuses", "draft-2026"]).given), Statuses::Draft2026);
}

#[test]
fn points_are_any_number_or_enough_for_one_operation() {
    assert_eq!(problems(from_file("points_per_caller = 0\npoints_per_address = 20000")), Vec::<String>::new());
    let least = "EVOLVE_POINTS_PER_CALLER is 499 and must be 0, for any number, or between EVOLVE_QUERY_COST (500) and 1000000000.";
    assert_eq!(problems(from_file("query_cost = 500\npoints_per_caller = 499")), [least]);
    let restored = "EVOLVE_POINTS_RESTORED_PER_ADDRESS is 0 and must be between 1 and 1000000000.";
    assert_eq!(problems(from_file("points_restored_per_address = 0")), [restored]);
}

#[test]
fn each_limit_of_a_request_is_within_its_range() {
    for (given, problem) in [
        ("query_bytes = 1000", "EVOLVE_QUERY_BYTES is 1000 and must be between 1024 and 1048576."),
        ("query_tokens = 499", "EVOLVE_QUERY_TOKENS is 499 and must be between 500 and 100000."),
        ("query_aliases = 1001", "EVOLVE_QUERY_ALIASES is 1001 and must be between 0 and 1000."),
        ("query_root_fields = 0", "EVOLVE_QUERY_ROOT_FIELDS is 0 and must be between 1 and 1000."),
        ("query_directives = 1001", "EVOLVE_QUERY_DIRECTIVES is 1001 and must be between 0 and 1000."),
        ("page_rows = 101", "EVOLVE_PAGE_ROWS is 101 and must be between 1 and 100."),
        ("introspection_depth = 2", "EVOLVE_INTROSPECTION_DEPTH is 2 and must be between 3 and 64."),
        ("introspection_cost = 99", "EVOLVE_INTROSPECTION_COST is 99 and must be between 100 and 10000000."),
    ] {
        assert_eq!(problems(from_file(given)), [problem]);
    }
    let settings = Settings::resolve(from_file("query_aliases = 7\nquery_tokens = 900\npage_rows = 5")).unwrap();
    assert_eq!((settings.limits.query_aliases, settings.limits.query_tokens, settings.limits.page_rows), (7, 900, 5));
}
