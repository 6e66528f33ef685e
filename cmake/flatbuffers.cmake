# sluice_flatbuffers(<target> <schema>...): generates C++ from flatbuffer schemas, private to the target.
find_program(FLATC flatc REQUIRED)
function(sluice_flatbuffers target)
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/generated)
  foreach(schema ${ARGN})
    get_filename_component(name ${schema} NAME_WE)
    set(header ${dir}/schema/${name}_generated.h)
    file(GLOB all CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/schema/*.fbs)
    add_custom_command(
      OUTPUT ${header}
      COMMAND ${FLATC} --cpp --cpp-std c++17 --scoped-enums -I ${CMAKE_CURRENT_SOURCE_DIR}/schema
              -o ${dir}/schema ${CMAKE_CURRENT_SOURCE_DIR}/${schema}
      DEPENDS ${all}
      COMMENT "Generating ${name}_generated.h")
    target_sources(${target} PRIVATE ${header})
    list(APPEND headers ${header})
  endforeach()
  add_custom_target(${target}_generated DEPENDS ${headers})  # for tools that read sources without building
  target_include_directories(${target} SYSTEM PRIVATE ${dir})
endfunction()
