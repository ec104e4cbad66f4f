package statement

import (
	"fmt"
	"time"
)

const (
	timeLayout = "2006-01-02T15:04:05.000Z"
	// maxTime is the last millisecond of the year 9999, the last that
	// timeLayout can write.
	maxTime = 253402300799999

	// MaxAhead is how far a birth may lie ahead of the clock, in
	// milliseconds: clocks of clients differ, and an id that is used early is
	// also remembered early.
	MaxAhead = 5 * minute

	minute = int64(60 * 1000)
	day    = 24 * 60 * minute
)

// ParseTime reads RFC 3339 in UTC with milliseconds, "2026-01-02T03:04:05.678Z",
// years 1970 to 9999, and returns unix milliseconds.
func ParseTime(text string) (int64, error) {
	const want = "want a UTC time with milliseconds such as 2026-01-02T03:04:05.678Z"
	if len(text) != len(timeLayout) {
		return 0, fmt.Errorf("%s, got %s", want, Quote(text, 40))
	}
	t, err := time.Parse(timeLayout, text)
	// Writing it again catches what the library reads generously.
	if err != nil || t.Format(timeLayout) != text || t.UnixMilli() < 0 {
		return 0, fmt.Errorf("%s, got %s", want, Quote(text, 40))
	}
	return t.UnixMilli(), nil
}

// FormatTime writes unix milliseconds as ParseTime reads them. Outside the
// years 1970 to 9999 it returns nothing, which ParseTime refuses.
func FormatTime(unixMillis int64) string {
	if unixMillis < 0 || unixMillis > maxTime {
		return ""
	}
	return time.UnixMilli(unixMillis).UTC().Format(timeLayout)
}

// MaxLife returns the longest life of a statement of this type in milliseconds,
// counted from its id's birth; for withdrawals the ceiling of what a policy may
// allow. An unknown type has none.
func MaxLife(t Type) int64 {
	switch t {
	case TypeWithdrawal:
		return 7 * day
	case TypeVerdict:
		return 60 * minute
	case TypeFreeze, TypeLogin:
		return 10 * minute
	case TypeProposal:
		return 60 * day
	}
	return 0
}

// CheckTimes says whether a statement may take effect at this clock (unix
// milliseconds), given the longest life of its type in milliseconds (MaxLife,
// or for withdrawals what the policy says). The error is an *[Error] with one
// of the codes id_from_the_future, id_too_old, expires_too_late, expired.
//
// A statement whose expiry lies beyond its longest life is refused, so that
// what it says of itself and how long its id is remembered never differ.
func CheckTimes(c Common, clock, longest int64) error {
	// A clock before 1970 is no clock: to it, everything is from the future.
	clock = max(clock, 0)
	born := c.ID.Born()
	switch {
	case born-clock > MaxAhead:
		return refuse(CodeIDFromTheFuture, "id", "born %s, more than 5 minutes after the clock's %s: check the clock where the id was made",
			FormatTime(born), FormatTime(clock))
	case clock-born > longest:
		return refuse(CodeIDTooOld, "id", "born %s, the clock says %s, and this type lives at most %s: sign a new statement with a new id",
			FormatTime(born), FormatTime(clock), life(longest))
	case c.Expires-born > longest:
		return refuse(CodeExpiresTooLate, "expires", "%s is more than %s after the id's birth at %s; at the latest %s",
			FormatTime(c.Expires), life(longest), FormatTime(born), FormatTime(born+longest))
	case clock > c.Expires:
		return refuse(CodeExpired, "expires", "expired %s, the clock says %s: sign a new statement with a new id",
			FormatTime(c.Expires), FormatTime(clock))
	}
	return nil
}

// life renders milliseconds in the largest unit that divides them.
func life(millis int64) string {
	for _, unit := range []struct {
		millis int64
		name   string
	}{{day, "d"}, {60 * minute, "h"}, {minute, "min"}, {1000, "s"}} {
		if millis >= unit.millis && millis%unit.millis == 0 {
			return fmt.Sprintf("%d %s", millis/unit.millis, unit.name)
		}
	}
	return fmt.Sprintf("%d ms", millis)
}
