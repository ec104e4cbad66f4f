package adversary

// Theft is the theft of January 2018: minutes after midnight and whole XEM.
var Theft = []struct {
	Minute int64
	XEM    uint64
}{
	{2, 10},
	{10, 100_000_000}, {11, 100_000_000}, {13, 100_000_000}, {14, 100_000_000}, {16, 100_000_000}, {18, 20_000_000},
	{3*60 + 35, 1_500_000}, {4*60 + 33, 1_000_000}, {8*60 + 26, 800_000},
}
