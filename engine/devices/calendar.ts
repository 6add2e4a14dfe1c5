/** Gregorian calendar arithmetic (UTC), without the host's clock or time zone. */

export interface CivilTime {
  year: number;
  /** 1..12 */
  month: number;
  /** 1..31 */
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** 0 = Sunday */
  weekday: number;
}

const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days from 1970-01-01 to the first of January of `year`. */
function daysToYear(year: number): number {
  const past = year - 1;
  return (year - 1970) * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) - 477;
}

function daysToMonth(year: number, month: number): number {
  return DAYS_BEFORE[month - 1]! + (month > 2 && isLeap(year) ? 1 : 0);
}

/** Seconds since 1970. A month or day out of range carries over. */
export function toSeconds(time: Omit<CivilTime, 'weekday'>): number {
  const month = Math.min(Math.max(time.month, 1), 12);
  const days = daysToYear(time.year) + daysToMonth(time.year, month) + time.day - 1;
  return days * 86400 + time.hour * 3600 + time.minute * 60 + time.second;
}

export function fromSeconds(seconds: number): CivilTime {
  const days = Math.floor(seconds / 86400);
  const rest = seconds - days * 86400;
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysToYear(year + 1) <= days) year++;
  while (daysToYear(year) > days) year--;
  const dayOfYear = days - daysToYear(year);
  let month = 12;
  while (daysToMonth(year, month) > dayOfYear) month--;
  return {
    year,
    month,
    day: dayOfYear - daysToMonth(year, month) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}
