# malloscope plot sizes --linear: how many allocations have each small size, one
# bar for each byte (below), and how many are of that size or less (above).
# Before this come the terminal, the output and the variables
#   title subtitle note threshold_label  text; note: at the foot, may be empty
#   threshold                        bytes
#   total_count total_bytes          of all allocations
#   size_end                         the largest size on the axis: bytes
#   bars curve                       the data files; bars: first and last size, allocations, bytes;
#                                    curve: size, allocations and bytes of that size or less

count_colour = '#0072B2' # Okabe and Ito's blue
threshold_colour = '#000000'
ink = '#303030'

edge = threshold - 0.5 # between the largest size that is below and the threshold itself
x_end = size_end + 0.5

stats bars using 3 name 'COUNT' nooutput
peak = COUNT_max

set border 3 linecolor rgb ink
set tics nomirror out textcolor rgb ink
set grid xtics ytics linetype 1 linewidth 0.5 linecolor rgb '#d8d8d8'
set lmargin at screen 0.075
set rmargin at screen 0.975
set xrange [-1:x_end]
if (size_end <= 128) {
    set xtics 0, 8
    set mxtics 8
}
set arrow 1 from edge, graph 0 to edge, graph 1 nohead front \
    linewidth 1.5 linecolor rgb threshold_colour

set multiplot

# --- the curve ---
set label 1 title at screen 0.02, screen 0.962 left font ',15' textcolor rgb ink
set label 2 subtitle at screen 0.02, screen 0.918 left textcolor rgb ink
set label 4 note at screen 0.02, screen 0.016 left font ',9' textcolor rgb ink
place = (edge + 1) / (x_end + 1)
if (place < 0.25) {
    set label 3 threshold_label at edge, graph 1.07 left textcolor rgb threshold_colour
} else { if (place > 0.75) {
    set label 3 threshold_label at edge, graph 1.07 right textcolor rgb threshold_colour
} else {
    set label 3 threshold_label at edge, graph 1.07 center textcolor rgb threshold_colour
} }
unset key
set tmargin at screen 0.835
set bmargin at screen 0.535
set format x ''
set yrange [0:104]
set ytics 25
set ylabel "allocations\nup to this size (%)" offset 0.5 textcolor rgb ink
plot curve using 1:(100. * $2 / total_count) with steps linewidth 2.5 linecolor rgb count_colour

# --- the bars ---
unset label
unit = peak >= 1e10 ? 1e9 : peak >= 1e7 ? 1e6 : peak >= 1e4 ? 1e3 : 1
unit_text = unit == 1e9 ? ' (billions)' : unit == 1e6 ? ' (millions)' : unit == 1e3 ? ' (thousands)' : ''
set tmargin at screen 0.495
set bmargin at screen 0.115
set format x '%g'
set yrange [0:(peak > 0 ? peak / unit * 1.08 : 1)]
set ytics autofreq
if (peak < 5) {
    set ytics 1
}
set ylabel "allocations of this size\n" . unit_text offset 0.5 textcolor rgb ink
set xlabel 'allocation size (bytes; one bar for each size)' textcolor rgb ink
set style fill solid 1 noborder
bar_width = size_end > 400 ? size_end / 500. : 0.8 # at least two pixels
plot bars using 1:($3 / unit):(bar_width) with boxes linecolor rgb count_colour

unset multiplot
