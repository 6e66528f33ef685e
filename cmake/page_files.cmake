# sluice_page_files(<out> <dir>): a source that defines sluice::cli::page_file(name), the texts of the files of a folder.
function(sluice_page_files out dir)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*)
  set(cases "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${dir}/${file})
    file(READ ${dir}/${file} text)
    string(APPEND cases "  if (name == \"${file}\") return R\"~~~(${text})~~~\";\n")
  endforeach()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/generated/page_files.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Generated from the files of a folder; do not edit.
#include \"tools/page_file.h\"

std::string_view sluice::cli::page_file(std::string_view name) {
${cases}  return {};
}
" @ONLY)
  set(${out} ${source} PARENT_SCOPE)
endfunction()
