/* A verdict for a terminal: a row for each metric, and behind them the sites that account for what is wrong. */
#ifndef MALLOSCOPE_CHECK_TABLE_H
#define MALLOSCOPE_CHECK_TABLE_H

#include "analyze/check/verdict.h"

void table_print(FILE *to, const struct verdict *v);

#endif
