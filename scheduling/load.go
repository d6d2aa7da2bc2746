package scheduling

// Load is what a node says of its machine in each heartbeat. Fields are 0 where the
// system does not tell.
type Load struct {
	// Average is how many processes wanted a core over the last minute.
	Average float64 `json:"average"`
	Cores   int     `json:"cores"`
	// MemoryTotal and MemoryAvailable are bytes: what there is, and what programs
	// could get of it.
	MemoryTotal     int64 `json:"memory_total"`
	MemoryAvailable int64 `json:"memory_available"`
	// Weight is that of the attempts that run.
	Weight int `json:"weight"`
}

// strain is how hard a machine works, in tenths of its cores or of its memory,
// whichever is more. It is coarse, so that what a measurement wavers by decides
// nothing, and bounded.
func (l Load) strain() int {
	const most = 20
	strain := 0
	if l.Cores > 0 {
		strain = int(min(10*l.Average/float64(l.Cores), most))
	}
	if l.MemoryTotal > 0 {
		strain = max(strain, int(10*(l.MemoryTotal-l.MemoryAvailable)/l.MemoryTotal))
	}
	return min(max(strain, 0), most)
}
