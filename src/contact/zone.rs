//! Where it is in the day of whoever has a number, as far as its country says so.

use chrono_tz::Tz;
use phonenumber::country::Id;

use super::number::Number;

/// The countries whose clocks all show the same, as the IANA time zone database has them. Those with several zones, and
/// those that only some islands far away keep from having one, are left out: there a number alone does not say.
const ZONES: [(Id, Tz); 42] = [
    (Id::AE, Tz::Asia__Dubai),
    (Id::AL, Tz::Europe__Tirane),
    (Id::AT, Tz::Europe__Vienna),
    (Id::BE, Tz::Europe__Brussels),
    (Id::BG, Tz::Europe__Sofia),
    (Id::CH, Tz::Europe__Zurich),
    (Id::CZ, Tz::Europe__Prague),
    (Id::DE, Tz::Europe__Berlin),
    (Id::DK, Tz::Europe__Copenhagen),
    (Id::EE, Tz::Europe__Tallinn),
    (Id::EG, Tz::Africa__Cairo),
    (Id::FI, Tz::Europe__Helsinki),
    (Id::FR, Tz::Europe__Paris),
    (Id::GB, Tz::Europe__London),
    (Id::GR, Tz::Europe__Athens),
    (Id::HK, Tz::Asia__Hong_Kong),
    (Id::HR, Tz::Europe__Zagreb),
    (Id::HU, Tz::Europe__Budapest),
    (Id::IE, Tz::Europe__Dublin),
    (Id::IL, Tz::Asia__Jerusalem),
    (Id::IN, Tz::Asia__Kolkata),
    (Id::IS, Tz::Atlantic__Reykjavik),
    (Id::IT, Tz::Europe__Rome),
    (Id::JP, Tz::Asia__Tokyo),
    (Id::KR, Tz::Asia__Seoul),
    (Id::LT, Tz::Europe__Vilnius),
    (Id::LU, Tz::Europe__Luxembourg),
    (Id::LV, Tz::Europe__Riga),
    (Id::MT, Tz::Europe__Malta),
    (Id::NL, Tz::Europe__Amsterdam),
    (Id::NO, Tz::Europe__Oslo),
    (Id::PH, Tz::Asia__Manila),
    (Id::PL, Tz::Europe__Warsaw),
    (Id::RO, Tz::Europe__Bucharest),
    (Id::RS, Tz::Europe__Belgrade),
    (Id::SE, Tz::Europe__Stockholm),
    (Id::SG, Tz::Asia__Singapore),
    (Id::SI, Tz::Europe__Ljubljana),
    (Id::SK, Tz::Europe__Bratislava),
    (Id::TR, Tz::Europe__Istanbul),
    (Id::TW, Tz::Asia__Taipei),
    (Id::ZA, Tz::Africa__Johannesburg),
];

/// The zone of `number`, when its country has but one.
pub fn of(number: &Number) -> Option<Tz> {
    let country = phonenumber::parse(None, number.as_str()).ok()?.country().id()?;
    ZONES.iter().find(|(id, _)| *id == country).map(|(_, zone)| *zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_its_zone_where_its_country_has_one() {
        for (text, zone) in [
            ("+48121234567", Some(Tz::Europe__Warsaw)),
            ("+31206241111", Some(Tz::Europe__Amsterdam)),
            ("+13125550002", None),
            ("+61 2 9374 4000", None),
        ] {
            assert_eq!(of(&Number::parse(text, None).unwrap()), zone, "{text}");
        }
    }
}
