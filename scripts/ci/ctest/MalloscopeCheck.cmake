# For CMake: copy this file and check-each, as ci/ctest/MalloscopeCheck.cmake and ci/check-each. Then
#   include(ci/ctest/MalloscopeCheck.cmake)
#   malloscope_check(prog ARGS input.json OPTIONS --max leaked=0)
# adds the test allocations.prog-input.json, which compares the target prog, run with input.json, with its baseline in
# tests/allocations/. Names have no paths of this checkout. `ctest -L allocations` runs these tests alone; `UPDATE_BASELINES=1 ctest -L allocations` writes
# the baselines.
# CMake 3.17 or newer.
find_program(MALLOSCOPE malloscope REQUIRED)

function(malloscope_check target)
  cmake_parse_arguments(PARSE_ARGV 1 check "" "" "ARGS;OPTIONS")
  string(JOIN - name allocations.${target} ${check_ARGS})
  string(REPLACE "${CMAKE_BINARY_DIR}/" "" name "${name}")
  string(REPLACE "${CMAKE_SOURCE_DIR}/" "" name "${name}")
  string(REGEX REPLACE "[^A-Za-z0-9._+/=:@%-]" "_" plain "${name}")
  if(NOT plain STREQUAL name) # no test of a project that asks for less than 3.19 (policy CMP0110) can have a space in its name
    string(MD5 number "${name}")
    string(SUBSTRING ${number} 0 8 number)
    set(name "${plain}-${number}")
  endif()
  add_test(NAME "${name}"
    COMMAND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../check-each --root ${CMAKE_BINARY_DIR} --root ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests/allocations ${check_OPTIONS}
      -- $<TARGET_FILE:${target}> ${check_ARGS})
  set_tests_properties("${name}" PROPERTIES LABELS allocations ENVIRONMENT "MALLOSCOPE=${MALLOSCOPE}")
endfunction()
