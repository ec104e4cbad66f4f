package statement_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"kura/statement"
	"kura/statement/statementtest"
)

func TestTimesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(0, 253402300799999).Draw(t, "millis")
		got, err := statement.ParseTime(statement.FormatTime(want))
		if err != nil || got != want {
			t.Fatalf("%d came back as %d: %v", want, got, err)
		}
	})
	for _, outside := range []int64{-1, 253402300800000, math.MinInt64, math.MaxInt64} {
		if text := statement.FormatTime(outside); text != "" {
			t.Errorf("%d is written as %s", outside, text)
		}
	}
}

func TestCheckTimes(t *testing.T) {
	const second, minute = int64(1000), int64(60 * 1000)
	const longest = 10 * minute
	for name, c := range map[string]struct {
		clock, expires int64
		code           statement.Code
	}{
		"at birth":                        {born, born + minute, ""},
		"5 minutes before birth":          {born - 5*minute, born + minute, ""},
		"a millisecond earlier":           {born - 5*minute - 1, born + minute, statement.CodeIDFromTheFuture},
		"at its expiry":                   {born + minute, born + minute, ""},
		"a millisecond later":             {born + minute + 1, born + minute, statement.CodeExpired},
		"expired before birth":            {born, born - 1, statement.CodeExpired},
		"at the end of its longest life":  {born + longest, born + longest, ""},
		"after its longest life":          {born + longest + 1, born + longest, statement.CodeIDTooOld},
		"would live too long":             {born, born + longest + 1, statement.CodeExpiresTooLate},
		"too old whatever it says itself": {born + longest + 1, born + longest + minute, statement.CodeIDTooOld},
		"long expired is first too old":   {born + longest + second, born + second, statement.CodeIDTooOld},
		"a clock before 1970":             {math.MinInt64, born + minute, statement.CodeIDFromTheFuture},
		"a clock at the end of time":      {math.MaxInt64, born + minute, statement.CodeIDTooOld},
	} {
		common := statement.Common{Journal: genesis, ID: statementtest.ID(born, 1), Expires: c.expires}
		if err := statement.CheckTimes(common, c.clock, longest); codeOf(err) != c.code || (c.code == "") != (err == nil) {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
	}
	if err := statement.CheckTimes(statement.Common{ID: statementtest.ID(born, 1), Expires: born}, born+1, statement.MaxLife("")); codeOf(err) != statement.CodeIDTooOld {
		t.Errorf("an unknown type lives: %v", err)
	}
}

func TestLongestLives(t *testing.T) {
	const hour, day = int64(3600 * 1000), int64(24 * 3600 * 1000)
	for typ, want := range map[statement.Type]int64{
		statement.TypeWithdrawal: 7 * day, statement.TypeVerdict: hour, statement.TypeFreeze: hour / 6,
		statement.TypeProposal: 60 * day, statement.TypeLogin: hour / 6, "": 0, "withdrawal/2": 0,
	} {
		if got := statement.MaxLife(typ); got != want {
			t.Errorf("%s lives %d ms, want %d", typ, got, want)
		}
	}
}

// TestTimesAreExplained shows what people read.
func TestTimesAreExplained(t *testing.T) {
	common := statement.Common{ID: statementtest.ID(born, 1), Expires: expires}
	var text string
	for _, clock := range []int64{born - 3600_000, born + 86_400_000, expires + 1} {
		text += statement.CheckTimes(common, clock, 3600_000).Error() + "\n"
	}
	common.Expires = born + 7*86_400_000
	text += statement.CheckTimes(common, born, 3600_000).Error() + "\n"
	golden(t, "times.golden", text)
}
