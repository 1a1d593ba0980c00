# malloscope plot sizes: how many allocations, and how many bytes, are in each
# power of two (below), and in all sizes up to one (above).
# Before this come the terminal, the output and the variables
#   title subtitle note threshold_label  text; note: at the foot, may be empty
#   threshold                        bytes
#   total_count total_bytes          of all allocations
#   size_end                         the largest size on the axis: bytes, one less than a power of two
#   bars curve                       the data files; bars: first and last size, allocations, bytes;
#                                    curve: size, allocations and bytes of that size or less

count_colour = '#0072B2' # Okabe and Ito's blue and orange: apart for every eye, and in grey
bytes_colour = '#E69F00'
threshold_colour = '#000000'
ink = '#303030'

# The axis is log2(size), with a place for size 0 left of 1.
x(size) = size > 0 ? log(size) / log(2) : size == 0 ? -0.5 : -1
edge = threshold > 0 ? x(threshold) : -1
x_end = floor(x(size_end) + 0.5)
share(part, total) = total > 0 ? 100. * part / total : 0
power_text(k) = sprintf('%d', 2 ** (k % 10)) . (k < 10 ? '' : ' ' . word('Ki Mi Gi Ti Pi Ei', k / 10))
crowded = x_end > 24
value_text(value) = value >= (crowded ? 0.95 : 9.95) ? sprintf('%.0f', value) : \
    !crowded && value >= 0.05 ? sprintf('%.1f', value) : ''

stats bars using (share($3, total_count)) name 'COUNT' nooutput
stats bars using (share($4, total_bytes)) name 'BYTES' nooutput
peak = COUNT_max > BYTES_max ? COUNT_max : BYTES_max

set border 3 linecolor rgb ink
set tics nomirror out textcolor rgb ink
set grid xtics mxtics ytics linetype 1 linewidth 0.5 linecolor rgb '#d8d8d8'
set lmargin at screen 0.075
set rmargin at screen 0.975
set xrange [-1:x_end]
set arrow 1 from edge, graph 0 to edge, graph 1 nohead front \
    linewidth 1.5 linecolor rgb threshold_colour
set multiplot

# --- the curves; one dashed, so that both show where they coincide ---
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
set key at screen 0.975, screen 0.918 right center horizontal Left reverse samplen 3 textcolor rgb ink
set tmargin at screen 0.835
set bmargin at screen 0.535
set xtics nomirror out ('' -0.5 1)
do for [k = 0:x_end] {
    set xtics add ('' k 1)
}
set yrange [0:104]
set ytics 25
set ylabel 'share up to this size (%)' offset 0.5 textcolor rgb ink
plot curve using (x($1)):(share($2, total_count)) with steps linewidth 2.5 linecolor rgb count_colour \
         title 'by number of allocations', \
     curve using (x($1)):(share($3, total_bytes)) with steps linewidth 2.5 dashtype (16, 5) \
         linecolor rgb bytes_colour title 'by bytes'

# --- the bars; the threshold's line runs over them, but behind their values ---
unset label
unset arrow
unset key
set tmargin at screen 0.495
set bmargin at screen 0.115
set xtics ('0' -0.5)
tic_step = x_end > 32 ? 4 : x_end > 18 ? 2 : 1
do for [k = (x_end > 45 ? tic_step : 0):x_end:tic_step] {
    set xtics add (power_text(k) k 0)
}
do for [k = 0:x_end] {
    if (k % tic_step) {
        set xtics add ('' k 1)
    }
}
set yrange [0:peak * 1.12]
set ytics autofreq
set ylabel 'share in each power of two (%)' offset 0.5 textcolor rgb ink
set xlabel 'allocation size (bytes; a pair of bars has the sizes from the mark on its left to below the next mark)' \
    textcolor rgb ink
set style fill solid 1 noborder
middle(first) = floor(x(first) + 0.01) + 0.5
set style textbox opaque noborder fillcolor rgb '#ffffff' margins 0.3, 0.1
value_font = x_end > 18 ? ',8' : ',9'
plot bars using (middle($1) - 0.22):(share($3, total_count)):(0.42) with boxes linecolor rgb count_colour, \
     bars using (middle($1) + 0.22):(share($4, total_bytes)):(0.42) with boxes linecolor rgb bytes_colour, \
     '+' using (edge):(0):(0):(peak * 1.12) every ::0::0 with vectors nohead \
         linewidth 1.5 linecolor rgb threshold_colour, \
     bars using (middle($1) - 0.22):(share($3, total_count)):(value_text(share($3, total_count))) with labels \
         boxed center offset 0, 0.5 font value_font textcolor rgb ink, \
     bars using (middle($1) + 0.22):(share($4, total_bytes)):(value_text(share($4, total_bytes))) with labels \
         boxed center offset 0, 0.5 font value_font textcolor rgb ink

unset multiplot
