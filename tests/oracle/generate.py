#!/usr/bin/env python3
"""Works out when rules are due, without any of Postbook's code, and writes it down as the table `cases.txt`.

    python3 tests/oracle/generate.py > tests/oracle/cases.txt

Needs python3-dateutil and the machine's tzdata; the tests need neither. The first line of the table says which versions
made it. Dates are taken from 2010 to 2023, which every tzdata of the last years knows alike.

The policies, as this script has them:

- A rule names local dates and times. A local time that clocks skip becomes the first instant after the gap. A local time
  that comes twice is its first instant. Two that become the same instant are one.
- Rules of hours name minutes: every instant at which clocks show such a minute is one, so a skipped hour is missing and
  a repeated hour comes twice. `every N hours` is N elapsed hours, counted from the first instant of the start date.
- The 31st of a shorter month is its last day, or is left out, or is the first of the next month. A fifth weekday that a
  month does not have is left out.
- `every N weeks` counts weeks from Monday; all counting begins with the start date's own day, week, month or year.
- On a free day an occurrence stays, is left out, or moves whole days: to the next business day, to the one before, or to
  the next one unless that leaves the month (then the one before). Free days here are Saturdays and Sundays.
- Cron: when day of month and day of week are both something else than `*`, either is enough. A line whose hours are `*`
  is a rule of hours.

A line: zone, the same as before when empty | rule | fields | first day of the window in UTC, and its days | instants, each
as minutes since the one before or since the window's start; `1440*3` is three times 1440.
"""

import calendar
import itertools
import random
import sys
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import dateutil
from dateutil.rrule import rrulestr

UTC = timezone.utc
DAY = timedelta(days=1)
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december"]

ZONES = """Europe/Amsterdam Europe/London Europe/Dublin Europe/Istanbul Africa/Casablanca Africa/Cairo Asia/Baku
Asia/Kathmandu Asia/Tokyo Asia/Beirut Asia/Tehran Asia/Amman America/New_York America/Sao_Paulo America/St_Johns
America/Caracas America/Havana America/Santiago America/Asuncion Australia/Lord_Howe Australia/Adelaide Pacific/Apia
Pacific/Kiritimati Pacific/Chatham Antarctica/Troll UTC""".split()


# Local times and instants

def shown(zone, instant):
    """What clocks show, as a naive time."""
    return instant.astimezone(zone).replace(tzinfo=None)


def showing(zone, local):
    """The instants at which clocks show `local`, in order."""
    found = set()
    for fold in (0, 1):
        instant = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if shown(zone, instant) == local:
            found.add(instant)
    return sorted(found)


def landing(zone, local):
    """The instant of `local` by the policies above."""
    there = showing(zone, local)
    if there:
        return there[0]
    # Minute by minute is slow and needs no idea of how transitions work; gaps begin and end on minutes.
    instant = local.replace(tzinfo=UTC) - timedelta(hours=15)
    step = timedelta(minutes=30)
    while shown(zone, instant + step) < local:
        instant += step
    while shown(zone, instant) < local:
        instant += timedelta(minutes=1)
    return instant


# Dates of rules

def days(start, first, last, every):
    day = first
    while day <= last:
        if (day - start).days % every == 0:
            yield day
        day += DAY


def weeks(start, first, last, every, on):
    monday = start - DAY * start.weekday()
    day = first
    while day <= last:
        if WEEKDAYS[day.weekday()] in on and (day - monday).days // 7 % every == 0:
            yield day
        day += DAY


def last_day(year, month):
    return calendar.monthrange(year, month)[1]


def in_month(year, month, on, short):
    """The dates that one day in words has in one month: none or one."""
    last = last_day(year, month)
    every = [date(year, month, number) for number in range(1, last + 1)]
    if on == "last day":
        return every[-1:]
    which, what = on.split(" ", 1)
    if what == "business day":
        every = [day for day in every if day.weekday() < 5]
    elif what in WEEKDAYS:
        every = [day for day in every if WEEKDAYS[day.weekday()] == what]
    else:
        number = int(what)
        if number <= last:
            return [date(year, month, number)]
        return {"last_day": every[-1:], "skip": [], "first_of_next": [every[-1] + DAY]}[short]
    if which == "last":
        return every[-1:]
    index = {"1st": 0, "2nd": 1, "3rd": 2, "4th": 3, "5th": 4}[which]
    return every[index:index + 1]


def months(start, first, last, every, on, short, only=None):
    year, month = first.year, first.month
    for _ in range(2):
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    while (year, month) <= (last.year, last.month):
        distance = (year - start.year) * 12 + month - (only or start.month)
        if distance % every == 0:
            for one in on:
                yield from in_month(year, month, one, short)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def rolled(day, roll):
    business = lambda it: it.weekday() < 5
    if business(day) or roll == "none":
        return day
    if roll == "skip":
        return None
    forth, back = day, day
    while not business(forth):
        forth += DAY
    while not business(back):
        back -= DAY
    if roll == "following" or (roll == "modified_following" and forth.month == day.month):
        return forth
    return back


# From dates to instants

def by_date(zone, dates, times, roll="none"):
    moved = {rolled(day, roll) for day in dates} - {None}
    return {landing(zone, datetime.combine(day, at)) for day in moved for at in times}


def by_hour(zone, first, last, minutes, hours=range(24), wanted=lambda _: True):
    """Every instant of the window at which clocks show one of these minutes in one of these hours."""
    found = set()
    day = first
    while day <= last:
        for hour in hours:
            for minute in minutes:
                if wanted(day):
                    found.update(showing(zone, datetime.combine(day, time(hour, minute))))
        day += DAY
    return found


# Cron

def field(text, low, high, names=()):
    found = set()
    for part in text.split(","):
        spread, _, step = part.partition("/")
        number = lambda it: names.index(it.lower()) + low if it.lower() in names else int(it)
        if spread == "*":
            begin, end = low, high
        elif "-" in spread:
            begin, end = map(number, spread.split("-"))
        else:
            begin = end = number(spread)
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def cron_days(first, last, dom, month, dow):
    on_days = field(dom, 1, 31)
    on_months = field(month, 1, 12, [name[:3] for name in MONTHS])
    week = {day % 7 for day in field(dow, 0, 7, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
    day = first
    while day <= last:
        a, b = day.day in on_days, day.isoweekday() % 7 in week
        fits = (a or b) if dom != "*" and dow != "*" else (a and b)
        if day.month in on_months and fits:
            yield day
        day += DAY


# Kinds of rules: each gives the rule in words, the other fields, and its instants near a window

def clock(rng):
    return time(rng.choice([0, 0, 1, 2, 2, 3, 4, 6, 12, 18, 23]), rng.choice([0, 0, 15, 30, 45, 59]))


def at(times):
    return ", ".join(f"{it:%H:%M}" for it in sorted(set(times)))


def some_times(rng):
    return [clock(rng) for _ in range(rng.choice([1, 1, 1, 2]))]


def some_day(rng):
    return rng.choice(["day 1", "day 15", "day 28", "day 29", "day 30", "day 31", "last day", "1st monday", "2nd tuesday",
                       "3rd sunday", "4th thursday", "5th monday", "5th friday", "last friday", "last sunday",
                       "1st business day", "last business day"])


def words(on):
    return " and ".join(it if it.startswith("day ") else f"the {it}" for it in on)


def fields(**given):
    return ";".join(f"{name}={value}" for name, value in given.items() if value not in (None, "none"))


def make(rng, kind, zone, start, first, last):
    times = some_times(rng)
    roll = rng.choice(["none"] * 4 + ["skip", "following", "preceding", "modified_following"])
    short = rng.choice(["last_day", "skip", "first_of_next"])
    near = lambda dates: by_date(zone, dates, times, roll)
    if kind == "daily":
        return f"daily at {at(times)}", fields(roll=roll), near(days(start, first, last, 1))
    if kind == "weekdays":
        weekends = rng.random() < 0.3
        dates = [day for day in days(start, first, last, 1) if weekends or day.weekday() < 5]
        return (f"weekdays at {at(times)}", fields(weekends="true" if weekends else None),
                by_date(zone, dates, times))
    if kind == "days":
        every = rng.choice([2, 3, 7, 10, 45])
        return (f"every {every} days at {at(times)}", fields(starts=start, roll=roll),
                near(days(start, first, last, every)))
    if kind == "weekly":
        every = rng.choice([1, 1, 2, 3])
        on = sorted(rng.sample(WEEKDAYS, rng.choice([1, 2, 3])), key=WEEKDAYS.index)
        period = "weekly" if every == 1 else f"every {every} weeks"
        return (f"{period} on {' and '.join(on)} at {at(times)}", fields(starts=start if every > 1 else None, roll=roll),
                near(weeks(start, first, last, every, on)))
    if kind == "monthly":
        every = rng.choice([1, 1, 1, 2, 5])
        on = [some_day(rng) for _ in range(rng.choice([1, 1, 2]))]
        period = "monthly" if every == 1 else f"every {every} months"
        return (f"{period} on {words(on)} at {at(times)}",
                fields(starts=start if every > 1 else None, roll=roll, short_month=short),
                near(months(start, first, last, every, on, short)))
    if kind == "quarterly":
        on = [some_day(rng)]
        return (f"quarterly on {words(on)} at {at(times)}", fields(roll=roll, short_month=short),
                near(months(date(2000, 1, 1), first, last, 3, on, short)))
    if kind == "yearly":
        month = rng.choice([2, 2, 3, 6, 12])
        on = [rng.choice(["day 29", "day 28", "last day", "2nd sunday", "last friday", "1st business day"])]
        text = f"{on[0][4:]} {MONTHS[month - 1]}" if on[0].startswith("day ") else f"{words(on)} of {MONTHS[month - 1]}"
        return (f"yearly on {text} at {at(times)}", fields(roll=roll, short_month=short),
                near(months(date(2000, month, 1), first, last, 12, on, short, month)))
    if kind == "end of day":
        times = [time(23, 59)]
        return "end of day", fields(roll=roll), by_date(zone, days(start, first, last, 1), times, roll)
    if kind == "hourly":
        minutes = sorted({rng.choice([0, 15, 30, 45, 59]) for _ in range(rng.choice([1, 1, 2]))})
        text = "hourly at " + ", ".join(f":{minute:02}" for minute in minutes)
        found = by_hour(zone, first, last, minutes)
        if rng.random() < 0.3:
            text += " from 01:00 to 18:30"
            found = {it for it in found if time(1) <= shown(zone, it).time() <= time(18, 30)}
        skip = rng.random() < 0.3
        if skip:
            found = {it for it in found if shown(zone, it).weekday() < 5}
        return text, fields(roll="skip" if skip else None), found
    if kind == "hours":
        every, minute = rng.choice([2, 5, 6, 7, 12, 24, 36]), rng.choice([0, 30])
        begin = landing(zone, datetime.combine(start, time())) + timedelta(minutes=minute)
        window = datetime.combine(first, time(), UTC)
        count = max(0, (window - begin) // timedelta(hours=every))
        found = {begin + timedelta(hours=every) * (count + index) for index in range((last - first).days * 24 // every + 2)}
        return f"every {every} hours at :{minute:02}", fields(starts=start), found
    if kind == "cron":
        hours = rng.choice(["6", "2", "0", "*/3", "1-4", "*", "2,3,18"])
        minutes = rng.choice(["0", "30", "15,45", "*/20", "10-12"])
        dom = rng.choice(["*", "*", "13", "1,15", "31", "10-20/5"])
        month = rng.choice(["*", "*", "3", "jan-jun", "*/2", "2"])
        dow = rng.choice(["*", "*", "1-5", "5", "sun", "7", "mon,wed"])
        on = set(cron_days(first, last, dom, month, dow))
        minute_set, hour_set = field(minutes, 0, 59), field(hours, 0, 23)
        line = f"cron {minutes} {hours} {dom} {month} {dow}"
        if dom == "31" and month == "2" and dow == "*":
            return None
        if hours == "*":
            return line, "", by_hour(zone, first, last, minute_set, wanted=lambda day: day in on)
        return line, "", by_date(zone, on, [time(hour, minute) for hour in hour_set for minute in minute_set])
    if kind == "rrule":
        line = rng.choice([
            "FREQ=DAILY;INTERVAL=3;BYHOUR=6", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=2;BYMINUTE=30",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;BYHOUR=2;BYMINUTE=15", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;BYHOUR=0",
            "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=23;BYMINUTE=59", "FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=6",
            "FREQ=MONTHLY;BYDAY=2TU,-1FR;BYHOUR=6,18", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17",
            "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1,15;BYHOUR=0", "FREQ=MONTHLY;BYHOUR=6",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=6", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30",
            "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU;BYHOUR=1,2,3", "FREQ=YEARLY;BYYEARDAY=100,-1;BYHOUR=4", "FREQ=YEARLY;BYHOUR=12",
            "FREQ=YEARLY;BYWEEKNO=1,20;BYDAY=MO;BYHOUR=5", "FREQ=WEEKLY;BYHOUR=3", "FREQ=DAILY;COUNT=400;BYHOUR=2",
            "FREQ=WEEKLY;COUNT=60;BYDAY=MO,FR;BYHOUR=6", "FREQ=DAILY;BYMONTH=3,4,10,11;BYHOUR=2;BYMINUTE=0,30",
            "FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR;BYHOUR=0", "FREQ=HOURLY;BYMINUTE=15", "FREQ=HOURLY;BYDAY=SU;BYHOUR=1,2,3",
        ])
        if "HOURLY" in line:
            minutes = [15] if "BYMINUTE" in line else [0]
            hours = [1, 2, 3] if "BYHOUR" in line else range(24)
            wanted = (lambda day: day.weekday() == 6) if "BYDAY" in line else (lambda _: True)
            return f"rrule {line}", fields(starts=start), by_hour(zone, first, last, minutes, hours, wanted)
        full = line if "BYMINUTE" in line else f"{line};BYMINUTE=0"
        rule = rrulestr(f"{full};BYSECOND=0", dtstart=datetime.combine(start, time()))
        locals_ = rule.between(datetime.combine(first, time()), datetime.combine(last, time(23, 59)), inc=True)
        return f"rrule {line}", fields(starts=start), {landing(zone, local) for local in locals_}
    raise ValueError(kind)


KINDS = ["daily", "weekdays", "days", "weekly", "monthly", "quarterly", "yearly", "end of day", "hourly", "hours", "cron",
         "rrule"]
# What a window takes in, in days, so that the seldom ones have something in it as well.
LENGTH = {"hourly": 4, "hours": 8, "yearly": 900, "quarterly": 400, "cron": 24, "daily": 20, "weekdays": 20, "end of day": 12, "rrule": 120, "monthly": 200}
# Windows around these days are drawn more often than others.
AWKWARD = {
    "Pacific/Apia": [date(2011, 12, 30)],
    "Pacific/Kiritimati": [date(2012, 2, 29)],
    "America/Sao_Paulo": [date(2015, 10, 18), date(2018, 11, 4), date(2018, 2, 18), date(2016, 2, 21)],
    "America/Caracas": [date(2016, 5, 1)],
    "America/St_Johns": [date(2010, 3, 14), date(2010, 11, 7), date(2011, 11, 6)],
    "Africa/Casablanca": [date(2018, 10, 28), date(2019, 5, 5), date(2019, 6, 9), date(2022, 3, 27)],
    "Africa/Cairo": [date(2014, 5, 16), date(2014, 6, 26), date(2023, 4, 28)],
    "Asia/Amman": [date(2012, 10, 26), date(2022, 2, 25)],
    "Asia/Tehran": [date(2021, 3, 22), date(2021, 9, 22)],
    "America/Santiago": [date(2019, 4, 7), date(2019, 9, 8)],
    "America/Asuncion": [date(2017, 10, 1), date(2018, 3, 25)],
    "America/Havana": [date(2018, 3, 11), date(2018, 11, 4)],
}


def changes(zone):
    """Days on which clocks change between 2010 and 2023."""
    found = []
    day = date(2010, 1, 2)
    while day < date(2023, 12, 1):
        noon = lambda it: datetime.combine(it, time(12), UTC).astimezone(zone).utcoffset()
        if noon(day) != noon(day - DAY):
            found.append(day)
        day += DAY
    return found


def windows(rng, name, zone):
    awkward = changes(zone) + AWKWARD.get(name, []) * 4 + [date(2012, 2, 29), date(2016, 2, 29), date(2020, 2, 29)]
    while True:
        if rng.random() < 0.6:
            yield rng.choice(awkward)
        else:
            yield date(2010, 3, 1) + DAY * rng.randrange(365 * 13)


def lines(each):
    for name in ZONES:
        zone = ZoneInfo(name)
        rng = random.Random(name)
        middle = windows(rng, name, zone)
        for kind in KINDS:
            made = 0
            while made < each:
                length = LENGTH.get(kind, 30)
                center = next(middle)
                begin = datetime.combine(center, time(), UTC) - timedelta(days=rng.randrange(1, max(2, length // 2)))
                end = begin + timedelta(days=length)
                start = max(date(2005, 1, 1), begin.date() - DAY * rng.randrange(0, 700))
                case = make(rng, kind, zone, start, begin.date() - DAY * 6, end.date() + DAY * 6)
                if case is None:
                    continue
                rule, more, instants = case
                starts = start if "starts=" in more else None
                within = [it for it in sorted(instants) if begin < it <= end
                          and (starts is None or shown(zone, it).date() >= starts)]
                made += 1
                yield name, rule, more, begin, end, within


def main():
    version = Path("/usr/share/zoneinfo/tzdata.zi").read_text().split("\n", 1)[0].split()[-1]
    print(f"# dateutil {dateutil.__version__}, tzdata {version}")
    before = None
    for name, rule, more, begin, end, instants in lines(18):
        minutes = [(after - earlier) // timedelta(minutes=1) for earlier, after in zip([begin, *instants], instants)]
        runs = [(value, len(list(same))) for value, same in itertools.groupby(minutes)]
        deltas = [str(value) if count == 1 else f"{value}*{count}" for value, count in runs]
        zone = name if name != before else ""
        before = name
        length = (end - begin).days
        print(f"{zone}|{rule}|{more}|{begin:%Y-%m-%d}+{length}|{' '.join(deltas)}")


if __name__ == "__main__":
    sys.exit(main())
