package jobspec

import "fmt"

// suggest returns a sentence that proposes the name most like the one that is
// unknown, or nothing if none is like it.
func suggest(unknown string, known []string) string {
	const far, maxName = 3, 64
	best, distance := "", far
	for _, name := range known {
		if len(name) > maxName || len(unknown) > maxName {
			continue
		}
		if d := editDistance(unknown, name); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// editDistance counts the bytes to insert, delete or replace to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
