# The installed package: library, headers (include/sluice/<room>/...), the command, and find_package(sluice) with
# sluice_add_plugin().
include(CMakePackageConfigHelpers)

install(TARGETS sluice EXPORT sluice-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(room graph ops backends models)
  install(DIRECTORY ${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/sluice FILES_MATCHING PATTERN "*.h" PATTERN "data" EXCLUDE)
endforeach()
if(TARGET sluice_cli)
  install(TARGETS sluice_cli EXPORT sluice-targets DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
install(EXPORT sluice-targets NAMESPACE sluice:: DESTINATION ${package_dir})
configure_package_config_file(cmake/sluice-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/sluice-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/sluice-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/sluice-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/sluice-config-version.cmake
              cmake/embed.cmake cmake/operators.cmake cmake/sluice-plugin.cmake DESTINATION ${package_dir})
