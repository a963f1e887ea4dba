# Sets CMAKE_CUDA_ARCHITECTURES, unless the user did, or CUDAARCHS in the environment. Needs CMAKE_CUDA_COMPILER.
# STEEPEST_CUDA=ON: machine code of Turing, Ampere, Hopper and Blackwell, and PTX of the latest for what follows.
# AUTO, which is to be fast: machine code of the devices that are there. Without one, PTX of two architectures, which the
# driver compiles at first use: the oldest, and the first with bulk copies, as the host asks later devices for them.
if(CMAKE_CUDA_ARCHITECTURES OR NOT "$ENV{CUDAARCHS}" STREQUAL "")
  return()
endif()

execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-code OUTPUT_VARIABLE known)
string(REGEX MATCHALL "sm_[0-9]+" known "${known}")

if(STEEPEST_CUDA STREQUAL "ON")
  foreach(architecture IN ITEMS 75 80 90 100)
    if("sm_${architecture}" IN_LIST known)
      list(APPEND CMAKE_CUDA_ARCHITECTURES ${architecture}-real)
    endif()
  endforeach()
  list(POP_BACK CMAKE_CUDA_ARCHITECTURES latest)
  string(REPLACE "-real" "" latest "${latest}")
  list(APPEND CMAKE_CUDA_ARCHITECTURES ${latest})
  return()
endif()

find_program(STEEPEST_NVIDIA_SMI nvidia-smi)
mark_as_advanced(STEEPEST_NVIDIA_SMI)
set(present "")
if(STEEPEST_NVIDIA_SMI)
  execute_process(COMMAND ${STEEPEST_NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader OUTPUT_VARIABLE capabilities
                  ERROR_QUIET TIMEOUT 20)
  string(REGEX MATCHALL "[0-9]+\\.[0-9]+" present "${capabilities}")
  list(TRANSFORM present REPLACE "\\." "")
  list(REMOVE_DUPLICATES present)
endif()
foreach(architecture IN LISTS present)
  if(NOT "sm_${architecture}" IN_LIST known)  # later than this nvcc, or earlier than all that it compiles for
    set(present "")
    break()
  endif()
  list(APPEND CMAKE_CUDA_ARCHITECTURES ${architecture}-real)
endforeach()
if(NOT present)
  set(CMAKE_CUDA_ARCHITECTURES 90-virtual)
  if("sm_75" IN_LIST known)
    list(PREPEND CMAKE_CUDA_ARCHITECTURES 75-virtual)
  else()
    list(PREPEND CMAKE_CUDA_ARCHITECTURES 80-virtual)
  endif()
endif()
