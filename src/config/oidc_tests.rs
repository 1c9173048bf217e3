use super::Settings;
use super::load::parse_file;

/// What is wrong with the settings of a file.
fn problems(file: &str) -> Vec<String> {
    Settings::resolve(parse_file(file).unwrap()).map_or_else(|problems| problems.0, |_| Vec::new())
}

#[test]
fn an_identity_provider_is_named_by_https_with_an_audience_and_no_shared_secret() {
    let issuer = "oidc_issuer = 'https://id.example.com'\noidc_audience = ['billing']";
    let oidc = Settings::resolve(parse_file(issuer).unwrap()).unwrap().oidc.unwrap();
    assert_eq!((oidc.issuer.as_str(), oidc.audiences), ("https://id.example.com", vec!["billing".to_owned()]));
    assert_eq!((oidc.algorithms, oidc.ca_file), (["RS256", "ES256", "EdDSA"].map(str::to_owned).to_vec(), None));
    let own = Settings::resolve(parse_file(&format!("{issuer}\noidc_ca_file = 'ca.pem'")).unwrap()).unwrap().oidc.unwrap();
    assert_eq!(own.ca_file, Some("ca.pem".into()));
    for good in [
        "https://id.example.com/",
        "https://id.example.com/realms/a",
        "http://127.0.0.1:9400",
        "http://localhost:9400",
        "http://[::1]:9400",
    ] {
        let file = format!("oidc_issuer = '{good}'\noidc_audience = ['billing']");
        assert_eq!(problems(&file), [""; 0], "{good}");
    }
    let by_https = "EVOLVE_OIDC_ISSUER must begin with https:// but for a sandbox's provider on this machine.";
    let no_audience = "EVOLVE_OIDC_AUDIENCE is missing: without it tokens for any other application would be good here.";
    let algorithms =
        "EVOLVE_OIDC_ALGORITHMS must be of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, separated by commas.";
    for (file, sentence) in [
        ("oidc_issuer = 'http://id.example.com'\noidc_audience = ['billing']", by_https),
        ("oidc_issuer = 'http://10.0.0.7'\noidc_audience = ['billing']", by_https),
        ("oidc_issuer = 'https://id.example.com'", no_audience),
        ("oidc_issuer = 'https://id.example.com'\noidc_audience = []", no_audience),
        ("oidc_audience = ['billing']", "EVOLVE_OIDC_ISSUER is missing: the other settings of the identity provider are for nothing."),
        ("oidc_ca_file = 'ca.pem'", "EVOLVE_OIDC_ISSUER is missing: the other settings of the identity provider are for nothing."),
        ("s3_ca_file = 'ca.pem'", "EVOLVE_S3_BUCKET is missing: the other settings of S3 are for nothing."),
        (&format!("{issuer}\noidc_algorithms = ['HS256']"), algorithms),
        (&format!("{issuer}\noidc_algorithms = ['RS256', 'none']"), algorithms),
        (&format!("{issuer}\noidc_algorithms = []"), algorithms),
        (
            "oidc_issuer = 'https://id.example.com?x'\noidc_audience = ['billing']",
            "EVOLVE_OIDC_ISSUER is \"https://id.example.com?x\" and must be like https://id.example.com.",
        ),
        (
            &format!("{issuer}\npublic_url = 'https://id.example.com'"),
            "EVOLVE_OIDC_ISSUER is our own EVOLVE_PUBLIC_URL: name the provider's.",
        ),
    ] {
        assert_eq!(problems(file), [sentence], "{file}");
    }
}
