//! The countries of ISO 3166-1, with the zone and the currency that a business there most likely wants.
//!
//! These are defaults for a form, no law: a business may choose others.

/// A country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: &'static str,
    /// The IANA zone where most of its businesses are; `UTC` where nobody lives.
    pub time_zone: &'static str,
    /// ISO 4217; `USD` where it has none of its own.
    pub currency: &'static str,
}

/// The country of an upper-case alpha-2 code; `None` for any other text.
pub fn find(code: &str) -> Option<&'static Country> {
    COUNTRIES.binary_search_by(|country| country.code.cmp(code)).ok().and_then(|index| COUNTRIES.get(index))
}

const fn c(code: &'static str, time_zone: &'static str, currency: &'static str) -> Country {
    Country { code, time_zone, currency }
}

/// All of them, in the order of their codes.
#[rustfmt::skip]
pub const COUNTRIES: &[Country] = &[
    c("AD", "Europe/Andorra", "EUR"), c("AE", "Asia/Dubai", "AED"), c("AF", "Asia/Kabul", "AFN"),
    c("AG", "America/Antigua", "XCD"), c("AI", "America/Anguilla", "XCD"), c("AL", "Europe/Tirane", "ALL"),
    c("AM", "Asia/Yerevan", "AMD"), c("AO", "Africa/Luanda", "AOA"), c("AQ", "UTC", "USD"),
    c("AR", "America/Argentina/Buenos_Aires", "ARS"), c("AS", "Pacific/Pago_Pago", "USD"), c("AT", "Europe/Vienna", "EUR"),
    c("AU", "Australia/Sydney", "AUD"), c("AW", "America/Aruba", "AWG"), c("AX", "Europe/Mariehamn", "EUR"),
    c("AZ", "Asia/Baku", "AZN"), c("BA", "Europe/Sarajevo", "BAM"), c("BB", "America/Barbados", "BBD"),
    c("BD", "Asia/Dhaka", "BDT"), c("BE", "Europe/Brussels", "EUR"), c("BF", "Africa/Ouagadougou", "XOF"),
    c("BG", "Europe/Sofia", "EUR"), c("BH", "Asia/Bahrain", "BHD"), c("BI", "Africa/Bujumbura", "BIF"),
    c("BJ", "Africa/Porto-Novo", "XOF"), c("BL", "America/St_Barthelemy", "EUR"), c("BM", "Atlantic/Bermuda", "BMD"),
    c("BN", "Asia/Brunei", "BND"), c("BO", "America/La_Paz", "BOB"), c("BQ", "America/Kralendijk", "USD"),
    c("BR", "America/Sao_Paulo", "BRL"), c("BS", "America/Nassau", "BSD"), c("BT", "Asia/Thimphu", "BTN"),
    c("BV", "UTC", "NOK"), c("BW", "Africa/Gaborone", "BWP"), c("BY", "Europe/Minsk", "BYN"),
    c("BZ", "America/Belize", "BZD"), c("CA", "America/Toronto", "CAD"), c("CC", "Indian/Cocos", "AUD"),
    c("CD", "Africa/Kinshasa", "CDF"), c("CF", "Africa/Bangui", "XAF"), c("CG", "Africa/Brazzaville", "XAF"),
    c("CH", "Europe/Zurich", "CHF"), c("CI", "Africa/Abidjan", "XOF"), c("CK", "Pacific/Rarotonga", "NZD"),
    c("CL", "America/Santiago", "CLP"), c("CM", "Africa/Douala", "XAF"), c("CN", "Asia/Shanghai", "CNY"),
    c("CO", "America/Bogota", "COP"), c("CR", "America/Costa_Rica", "CRC"), c("CU", "America/Havana", "CUP"),
    c("CV", "Atlantic/Cape_Verde", "CVE"), c("CW", "America/Curacao", "XCG"), c("CX", "Indian/Christmas", "AUD"),
    c("CY", "Asia/Nicosia", "EUR"), c("CZ", "Europe/Prague", "CZK"), c("DE", "Europe/Berlin", "EUR"),
    c("DJ", "Africa/Djibouti", "DJF"), c("DK", "Europe/Copenhagen", "DKK"), c("DM", "America/Dominica", "XCD"),
    c("DO", "America/Santo_Domingo", "DOP"), c("DZ", "Africa/Algiers", "DZD"), c("EC", "America/Guayaquil", "USD"),
    c("EE", "Europe/Tallinn", "EUR"), c("EG", "Africa/Cairo", "EGP"), c("EH", "Africa/El_Aaiun", "MAD"),
    c("ER", "Africa/Asmara", "ERN"), c("ES", "Europe/Madrid", "EUR"), c("ET", "Africa/Addis_Ababa", "ETB"),
    c("FI", "Europe/Helsinki", "EUR"), c("FJ", "Pacific/Fiji", "FJD"), c("FK", "Atlantic/Stanley", "FKP"),
    c("FM", "Pacific/Pohnpei", "USD"), c("FO", "Atlantic/Faroe", "DKK"), c("FR", "Europe/Paris", "EUR"),
    c("GA", "Africa/Libreville", "XAF"), c("GB", "Europe/London", "GBP"), c("GD", "America/Grenada", "XCD"),
    c("GE", "Asia/Tbilisi", "GEL"), c("GF", "America/Cayenne", "EUR"), c("GG", "Europe/Guernsey", "GBP"),
    c("GH", "Africa/Accra", "GHS"), c("GI", "Europe/Gibraltar", "GIP"), c("GL", "America/Nuuk", "DKK"),
    c("GM", "Africa/Banjul", "GMD"), c("GN", "Africa/Conakry", "GNF"), c("GP", "America/Guadeloupe", "EUR"),
    c("GQ", "Africa/Malabo", "XAF"), c("GR", "Europe/Athens", "EUR"), c("GS", "Atlantic/South_Georgia", "GBP"),
    c("GT", "America/Guatemala", "GTQ"), c("GU", "Pacific/Guam", "USD"), c("GW", "Africa/Bissau", "XOF"),
    c("GY", "America/Guyana", "GYD"), c("HK", "Asia/Hong_Kong", "HKD"), c("HM", "UTC", "AUD"),
    c("HN", "America/Tegucigalpa", "HNL"), c("HR", "Europe/Zagreb", "EUR"), c("HT", "America/Port-au-Prince", "HTG"),
    c("HU", "Europe/Budapest", "HUF"), c("ID", "Asia/Jakarta", "IDR"), c("IE", "Europe/Dublin", "EUR"),
    c("IL", "Asia/Jerusalem", "ILS"), c("IM", "Europe/Isle_of_Man", "GBP"), c("IN", "Asia/Kolkata", "INR"),
    c("IO", "Indian/Chagos", "USD"), c("IQ", "Asia/Baghdad", "IQD"), c("IR", "Asia/Tehran", "IRR"),
    c("IS", "Atlantic/Reykjavik", "ISK"), c("IT", "Europe/Rome", "EUR"), c("JE", "Europe/Jersey", "GBP"),
    c("JM", "America/Jamaica", "JMD"), c("JO", "Asia/Amman", "JOD"), c("JP", "Asia/Tokyo", "JPY"),
    c("KE", "Africa/Nairobi", "KES"), c("KG", "Asia/Bishkek", "KGS"), c("KH", "Asia/Phnom_Penh", "KHR"),
    c("KI", "Pacific/Tarawa", "AUD"), c("KM", "Indian/Comoro", "KMF"), c("KN", "America/St_Kitts", "XCD"),
    c("KP", "Asia/Pyongyang", "KPW"), c("KR", "Asia/Seoul", "KRW"), c("KW", "Asia/Kuwait", "KWD"),
    c("KY", "America/Cayman", "KYD"), c("KZ", "Asia/Almaty", "KZT"), c("LA", "Asia/Vientiane", "LAK"),
    c("LB", "Asia/Beirut", "LBP"), c("LC", "America/St_Lucia", "XCD"), c("LI", "Europe/Vaduz", "CHF"),
    c("LK", "Asia/Colombo", "LKR"), c("LR", "Africa/Monrovia", "LRD"), c("LS", "Africa/Maseru", "LSL"),
    c("LT", "Europe/Vilnius", "EUR"), c("LU", "Europe/Luxembourg", "EUR"), c("LV", "Europe/Riga", "EUR"),
    c("LY", "Africa/Tripoli", "LYD"), c("MA", "Africa/Casablanca", "MAD"), c("MC", "Europe/Monaco", "EUR"),
    c("MD", "Europe/Chisinau", "MDL"), c("ME", "Europe/Podgorica", "EUR"), c("MF", "America/Marigot", "EUR"),
    c("MG", "Indian/Antananarivo", "MGA"), c("MH", "Pacific/Majuro", "USD"), c("MK", "Europe/Skopje", "MKD"),
    c("ML", "Africa/Bamako", "XOF"), c("MM", "Asia/Yangon", "MMK"), c("MN", "Asia/Ulaanbaatar", "MNT"),
    c("MO", "Asia/Macau", "MOP"), c("MP", "Pacific/Saipan", "USD"), c("MQ", "America/Martinique", "EUR"),
    c("MR", "Africa/Nouakchott", "MRU"), c("MS", "America/Montserrat", "XCD"), c("MT", "Europe/Malta", "EUR"),
    c("MU", "Indian/Mauritius", "MUR"), c("MV", "Indian/Maldives", "MVR"), c("MW", "Africa/Blantyre", "MWK"),
    c("MX", "America/Mexico_City", "MXN"), c("MY", "Asia/Kuala_Lumpur", "MYR"), c("MZ", "Africa/Maputo", "MZN"),
    c("NA", "Africa/Windhoek", "NAD"), c("NC", "Pacific/Noumea", "XPF"), c("NE", "Africa/Niamey", "XOF"),
    c("NF", "Pacific/Norfolk", "AUD"), c("NG", "Africa/Lagos", "NGN"), c("NI", "America/Managua", "NIO"),
    c("NL", "Europe/Amsterdam", "EUR"), c("NO", "Europe/Oslo", "NOK"), c("NP", "Asia/Kathmandu", "NPR"),
    c("NR", "Pacific/Nauru", "AUD"), c("NU", "Pacific/Niue", "NZD"), c("NZ", "Pacific/Auckland", "NZD"),
    c("OM", "Asia/Muscat", "OMR"), c("PA", "America/Panama", "PAB"), c("PE", "America/Lima", "PEN"),
    c("PF", "Pacific/Tahiti", "XPF"), c("PG", "Pacific/Port_Moresby", "PGK"), c("PH", "Asia/Manila", "PHP"),
    c("PK", "Asia/Karachi", "PKR"), c("PL", "Europe/Warsaw", "PLN"), c("PM", "America/Miquelon", "EUR"),
    c("PN", "Pacific/Pitcairn", "NZD"), c("PR", "America/Puerto_Rico", "USD"), c("PS", "Asia/Hebron", "ILS"),
    c("PT", "Europe/Lisbon", "EUR"), c("PW", "Pacific/Palau", "USD"), c("PY", "America/Asuncion", "PYG"),
    c("QA", "Asia/Qatar", "QAR"), c("RE", "Indian/Reunion", "EUR"), c("RO", "Europe/Bucharest", "RON"),
    c("RS", "Europe/Belgrade", "RSD"), c("RU", "Europe/Moscow", "RUB"), c("RW", "Africa/Kigali", "RWF"),
    c("SA", "Asia/Riyadh", "SAR"), c("SB", "Pacific/Guadalcanal", "SBD"), c("SC", "Indian/Mahe", "SCR"),
    c("SD", "Africa/Khartoum", "SDG"), c("SE", "Europe/Stockholm", "SEK"), c("SG", "Asia/Singapore", "SGD"),
    c("SH", "Atlantic/St_Helena", "SHP"), c("SI", "Europe/Ljubljana", "EUR"), c("SJ", "Arctic/Longyearbyen", "NOK"),
    c("SK", "Europe/Bratislava", "EUR"), c("SL", "Africa/Freetown", "SLE"), c("SM", "Europe/San_Marino", "EUR"),
    c("SN", "Africa/Dakar", "XOF"), c("SO", "Africa/Mogadishu", "SOS"), c("SR", "America/Paramaribo", "SRD"),
    c("SS", "Africa/Juba", "SSP"), c("ST", "Africa/Sao_Tome", "STN"), c("SV", "America/El_Salvador", "USD"),
    c("SX", "America/Lower_Princes", "XCG"), c("SY", "Asia/Damascus", "SYP"), c("SZ", "Africa/Mbabane", "SZL"),
    c("TC", "America/Grand_Turk", "USD"), c("TD", "Africa/Ndjamena", "XAF"), c("TF", "Indian/Kerguelen", "EUR"),
    c("TG", "Africa/Lome", "XOF"), c("TH", "Asia/Bangkok", "THB"), c("TJ", "Asia/Dushanbe", "TJS"),
    c("TK", "Pacific/Fakaofo", "NZD"), c("TL", "Asia/Dili", "USD"), c("TM", "Asia/Ashgabat", "TMT"),
    c("TN", "Africa/Tunis", "TND"), c("TO", "Pacific/Tongatapu", "TOP"), c("TR", "Europe/Istanbul", "TRY"),
    c("TT", "America/Port_of_Spain", "TTD"), c("TV", "Pacific/Funafuti", "AUD"), c("TW", "Asia/Taipei", "TWD"),
    c("TZ", "Africa/Dar_es_Salaam", "TZS"), c("UA", "Europe/Kyiv", "UAH"), c("UG", "Africa/Kampala", "UGX"),
    c("UM", "UTC", "USD"), c("US", "America/New_York", "USD"), c("UY", "America/Montevideo", "UYU"),
    c("UZ", "Asia/Tashkent", "UZS"), c("VA", "Europe/Vatican", "EUR"), c("VC", "America/St_Vincent", "XCD"),
    c("VE", "America/Caracas", "VES"), c("VG", "America/Tortola", "USD"), c("VI", "America/St_Thomas", "USD"),
    c("VN", "Asia/Ho_Chi_Minh", "VND"), c("VU", "Pacific/Efate", "VUV"), c("WF", "Pacific/Wallis", "XPF"),
    c("WS", "Pacific/Apia", "WST"), c("YE", "Asia/Aden", "YER"), c("YT", "Indian/Mayotte", "EUR"),
    c("ZA", "Africa/Johannesburg", "ZAR"), c("ZM", "Africa/Lusaka", "ZMW"), c("ZW", "Africa/Harare", "ZWG"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    #[test]
    fn every_country_has_a_zone_and_a_currency_that_exist() {
        assert_eq!(COUNTRIES.len(), 249);
        assert!(COUNTRIES.is_sorted_by(|a, b| a.code < b.code));
        for country in COUNTRIES {
            assert!(country.code.len() == 2 && country.code.bytes().all(|b| b.is_ascii_uppercase()), "{country:?}");
            let zone = jiff::tz::TimeZone::get(country.time_zone).unwrap();
            assert_eq!(zone.iana_name(), Some(country.time_zone), "{country:?}");
            assert!(Currency::from_code(country.currency).is_some(), "{country:?}");
        }
    }

    #[test]
    fn currencies_agree_with_where_iso_4217_says_they_are_used() {
        let mut others = Vec::new();
        for country in COUNTRIES {
            let currency = iso_currency::Currency::from_code(country.currency).unwrap();
            if !currency.used_by().iter().any(|user| user.to_string() == country.code) {
                others.push((country.code, country.currency));
            }
        }
        // ISO 4217 gives Antarctica and South Georgia no currency, and iso_currency forgets Namibia's own beside the rand.
        assert_eq!(others, [("AQ", "USD"), ("GS", "GBP"), ("NA", "NAD")]);
    }

    #[test]
    fn a_code_is_two_capital_letters_of_the_list() {
        let kenya = Country { code: "KE", time_zone: "Africa/Nairobi", currency: "KES" };
        assert_eq!(find("KE"), Some(&kenya));
        assert_eq!(find("ZW").map(|country| country.currency), Some("ZWG"));
        assert_eq!(find("AD").map(|country| country.currency), Some("EUR"));
        for bad in ["", "ke", "KEN", "XX", "UK", "EU", "K", "ÄÖ"] {
            assert_eq!(find(bad), None, "{bad:?}");
        }
    }
}
